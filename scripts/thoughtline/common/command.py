"""What all commands share: their common options, clear errors, exit codes, sidecars."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..provenance.sidecar import utc_now, write_sidecars
from . import deadline
from .deadline import Deadline
from .errors import EXIT_AGAIN, EXIT_BAD_INPUT, OutOfTime, UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk, the quota or the file-size limit is full; everything finished is in the journal."""

AGAIN = "THOUGHTLINE_AGAIN"
"""Variable with the file to make when the command is out of time and should be run again (machines/segments.py)."""

Run = Callable[[argparse.Namespace], None]


def add_common(parser: argparse.ArgumentParser, settings: bool = True) -> None:
    """--settings (required, or not), --minutes, --work: the options that every stage takes."""
    parser.add_argument(
        "--settings", required=settings, metavar="JSON",
        help="the stage's settings as JSON, or @file (see `thoughtline recipe settings`)",
    )  # fmt: skip
    add_minutes(parser)
    parser.add_argument("--work", type=Path, help="folder for state that survives interruption (default: beside --out)")


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """--minutes, for commands that can stop and go on."""
    parser.add_argument(
        "--minutes", type=float, help="stop cleanly before this time limit (exit 75: run again to go on)"
    )


def add_files(parser: argparse.ArgumentParser, option: str, metavar: str, text: str, needed: bool = True) -> None:
    """An option that takes one or more files; where it is not needed, none by default."""
    parser.add_argument(option, nargs="+", type=Path, required=needed, default=[], metavar=metavar, help=text)


def work_of(args: argparse.Namespace) -> Path:
    """The folder for state that survives interruption: --work, or beside --out."""
    return args.work or Path(f"{args.out}.work")


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """The parsed --settings."""
    text = args.settings
    where = "--settings"
    if text.startswith("@"):
        where = text[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(where, f"cannot be read ({error.strerror})", "give a JSON file") from None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(where, f"is not JSON ({error})", "`thoughtline recipe settings` prints it") from None
    if not isinstance(value, dict):
        raise UserError(where, "is no JSON object", "`thoughtline recipe settings` prints one")
    return value


def deadline_of(args: argparse.Namespace, at_most: float = math.inf) -> Deadline:
    """The job's deadline: --minutes, but not later than in `at_most` minutes; SIGTERM counts as reaching it."""
    minutes = min(math.inf if args.minutes is None else args.minutes, at_most)
    return Deadline(None if minutes == math.inf else minutes).catch_sigterm()


def reconcile(counts: dict[str, Any]) -> None:
    """Assert that no row was lost or invented: in = out + dropped."""
    if "in" in counts:
        dropped = sum(counts.get("dropped", {}).values())
        if counts["in"] != counts["out"] + dropped:
            raise AssertionError(
                f"{counts['in']} rows came in, but {counts['out']} went out and {dropped} were dropped"
            )


class Record:
    """What a job will say about itself in its sidecars."""

    def __init__(self) -> None:
        self.counts: dict[str, Any] = {}
        self.details: dict[str, Any] = {}


@contextmanager
def recorded(outputs: list[Path | str], inputs: list[Path | str], settings: dict[str, Any]) -> Iterator[Record]:
    """Run a job and, when it ends well, write the sidecars of its outputs from the yielded record."""
    started, record = utc_now(), Record()
    yield record
    reconcile(record.counts)
    write_sidecars(
        [str(path) for path in outputs],
        [str(path) for path in inputs],
        settings,
        record.counts,
        started,
        record.details,
    )


def _ask_again() -> None:
    """Out of time, and not because somebody ended us: leave the mark that sends a Slurm job back to the queue."""
    mark = os.environ.get(AGAIN)
    if mark and not deadline.stopped.is_set():
        Path(mark).touch()


def guarded(run: Run, args: argparse.Namespace) -> int:
    """Run a command; errors that a person can act on become one line and an exit code."""
    try:
        run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output, say `head`, has seen enough; nothing more may be written when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OutOfTime:
        print(
            "stopped before the deadline; everything finished is kept, run the same command again to go on",
            file=sys.stderr,
        )
        _ask_again()
        return EXIT_AGAIN
    except (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if not error.filename:
            raise
        print(
            f"error: {error.filename}: {error.strerror}; check the path, and that it is yours to read or write",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        place = f"{error.filename}: " if error.filename else ""
        print(f"error: {place}cannot be written ({error.strerror}); make room and run again", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; everything finished is kept", file=sys.stderr)
        return 130
    return 0
