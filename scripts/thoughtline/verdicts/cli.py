"""`thoughtline verdicts verify`, `thoughtline verdicts show` and `thoughtline verdicts agreement`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..common.command import add_common, add_files, deadline_of, recorded, settings_of
from ..common.deadline import Deadline
from ..common.errors import UserError
from ..common.files import read_json, write_json
from ..common.rows import VERDICT_STATUS, VERDICTS, read_rows, write_rows
from .agreement import agreement, agreement_text
from .complete import complete
from .pool import Lending
from .table import read_table, renamed, split, write_part
from .verify import MODULES, Options, Service, counts_of, load, verify_traces

VERIFY = r"""Judge each trace by its question's reference: one row with status, reason, parsed answer and evidence.

The verifier stands in the settings, with the recipe's keys; what is left out has the recipe's defaults:

  {"verifier": {"verifier": "math_verify"}}       mathematical equality (Math-Verify), answer in \boxed{} or after a phrase
  {"verifier": {"verifier": "code", "seconds": 4}}  unit tests in a sandbox: every test must run and pass
  {"verifier": {"verifier": "exact"}}             the same text
  {"verifier": {"verifier": "choice"}}            multiple choice: letter or text of an option
  {"verifier": {"verifier": "instructions"}}      IFEval's verifiable instructions, strict and loose
  {"verifier": {"verifier": "judge", "model": "m", "template": "..."}, "endpoint": {"url": ..., "model": ...}}
  {"verifier": {"verifier": "combined", "parser": {...}, "judge": {...}, "rule": "undecided"}, "endpoint": {...}}
  {"verifier": {"verifier": "none"}}              everything is unverified

On your own data. One table, Parquet or JSON Lines, one row a response: columns response and something to judge by: unit tests (a column
tests, or the columns of APPS, TACO, code_contests, LiveCodeBench, HumanEval or MBPP as they are published), IFEval's instruction_id_list
and kwargs, choices and answer, or answer. Optional: problem, question_id, sample, trace_id, status. Rows with tests go to
`code`, with instructions to `instructions`, with choices to `choice`, with an answer to `math_verify`, unless --verifier or --settings
says otherwise; thinking in <think> tags is not judged. Example:

  thoughtline verdicts verify --in traces.parquet --out verdicts.parquet
  thoughtline verdicts verify --in mine.jsonl --columns response=completion answer=gold --verifier exact --out verdicts.parquet

As the pipeline does it. Two Parquet files. Questions: question_id, problem, answer (text or null), choices (list
of texts or null), tests (JSON {"inputs", "outputs", "fn_name"?}, or as APPS, TACO, code_contests, LiveCodeBench,
HumanEval or MBPP publish them, docs/recipes.md; or {"instructions": [{"id", "kwargs"}]}; or null).
Traces: trace_id, question_id, sample (0, 1, ...), status ("finished", "truncated", "refused" or "failed"), response
(the final answer's text, without the thinking). Example:

  thoughtline verdicts verify --settings '{"verifier": {"verifier": "math_verify"}}' \
      --questions questions.parquet --traces traces.parquet --out verdicts.parquet
  thoughtline verdicts show verdicts.parquet
"""

AGREEMENT = r"""Compare the words of a judge and a parser on the same traces: a table by source, agreement and Cohen's kappa
with intervals over questions, how many rows each rule of a combined verifier would keep, and examples of each difference.

Verdicts of a combined verifier that asked both (`ask: always`), or of two verifiers that judged the same traces:

  thoughtline verdicts agreement --questions questions.parquet --verdicts combined.parquet --out agreement.json
  thoughtline verdicts agreement --questions questions.parquet --verdicts math_verify.parquet \
      --judge-verdicts judge.parquet --out agreement.json

Questions are Parquet files with question_id, problem, answer and, for a table by source, source. Without
--questions, or without that column, all rows have the source "all"; without --questions examples show no problem and no reference.
"""


def register(subparsers: Any) -> None:
    """Add the verbs."""
    verify = subparsers.add_parser(
        "verify", help="judge every trace of a shard", description=VERIFY, formatter_class=argparse.RawDescriptionHelpFormatter
    )  # fmt: skip
    add_common(verify, settings=False)
    verify.add_argument("--in", dest="table", type=Path, metavar="FILE", help="your own table, one row a response")
    verify.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME=COLUMN",
        help="with --in: what your columns are called (tests: several, with commas)",
    )
    verify.add_argument("--verifier", choices=sorted(MODULES), help="with --in: judge every row with this verifier")
    verify.add_argument("--questions", type=Path, metavar="Q.parquet", help="the questions that were asked")
    verify.add_argument("--traces", type=Path, metavar="T.parquet", help="the traces that answer them")
    verify.add_argument("--out", type=Path, required=True, metavar="V.parquet", help="where the verdicts go")
    verify.add_argument(
        "--workers", type=_positive, default=len(os.sched_getaffinity(0)), metavar="N",
        help="verdicts in hand at once (default: one per core); changes no verdict",
    )  # fmt: skip
    verify.add_argument("--model", type=Path, metavar="model.json", help="the judge's weights (not for an endpoint)")
    verify.add_argument(
        "--concurrency", type=_positive, default=64, metavar="N", help="requests to the judge in flight (default: 64)"
    )
    verify.add_argument(
        "--linger", type=float, default=0, metavar="SECONDS", help="keep the judge's idle server this long"
    )
    for name in ("tensor", "pipeline"):
        verify.add_argument(
            f"--{name}-parallel", type=int, metavar="N",
            help=f"{name} parallel size of the judge's server, where engine.arguments does not say",
        )  # fmt: skip
    verify.add_argument("--servers", type=Path, help="folder where jobs share model servers (default: in --work)")
    verify.set_defaults(run=run_verify)
    agree = subparsers.add_parser(
        "agreement", help="how far a judge and a parser agree", description=AGREEMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    agree.add_argument("--settings", default="{}", metavar="JSON", help="for the sidecar (default: none)")
    for name, text in (
        ("--questions", "all shards of the questions that were asked (default: none)"),
        ("--verdicts", "a combined verifier's verdicts, or a parser's"),
        ("--judge-verdicts", "a judge's verdicts on the same traces, where --verdicts are a parser's"),
    ):
        add_files(agree, name, "F", text, needed=name == "--verdicts")
    agree.add_argument("--out", type=Path, required=True, metavar="A.json", help="where the figures go")
    agree.set_defaults(run=run_agreement)
    show = subparsers.add_parser(
        "show",
        help="print the verdicts of a file",
        description="Print counts, and one line for each verdict, of a file.",
    )
    show.add_argument("file", type=Path, metavar="V.parquet", help="a file of verdicts")
    show.add_argument("--status", choices=VERDICT_STATUS, help="only verdicts with this status, say incorrect")
    show.add_argument("--reason", help="only verdicts with this reason, say time_limit")
    show.add_argument("--rows", type=_positive, default=20, metavar="N", help="at most this many lines (default: 20)")
    show.set_defaults(run=run_show)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _asks(settings: dict[str, Any]) -> bool:
    """Whether a judge has a say in the verdicts."""
    return settings["verifier"]["verifier"] in ("judge", "combined", "rating")


def _judged(path: Path) -> dict[str, int]:
    """What the judge of a file of verdicts did: rows it was asked about, asked again, and not understood in the end."""
    found = Counter[str](asked=0, repaired=0, unparsed=0)
    for row in read_rows(path, VERDICTS, ["status", "evidence", "verifier"]):
        evidence = json.loads(row["evidence"])
        for turn in evidence["turns"] if row["verifier"] == "rating" else []:
            found.update(asked=bool(turn["judge"]), repaired=len(turn["judge"]) > 1, unparsed=turn["rating"] is None)
        judge = (
            evidence.get("judge") if row["verifier"] == "combined" else {"status": row["status"], "evidence": evidence}
        )
        if judge and isinstance(replies := judge["evidence"].get("judge"), list):
            found.update(asked=1, repaired=len(replies) > 1, unparsed=judge["status"] == "unparsed")
    return dict(found)


@contextlib.contextmanager
def _options(args: argparse.Namespace, settings: dict[str, Any], work: Path, deadline: Deadline) -> Iterator[Options]:
    """The judge's server, where the settings name a judge with weights."""
    parsers = Lending(args.workers)
    if args.model is None or not _asks(settings):
        yield Options(parsers=parsers)
        return
    from ..traces.engine import with_sizes
    from ..traces.server import serving

    revision = read_json(args.model)["revision"]
    engine = with_sizes(settings.get("engine") or {}, args.tensor_parallel, args.pipeline_parallel)
    folder = args.servers or work / "servers"
    with serving(args.model, engine, folder=folder, linger=args.linger, deadline=deadline) as server:
        yield Options(
            Service(server.base_url, server.model, revision, health_url=server.health_url, diagnose=server.diagnose),
            parsers,
        )


def _protection(settings: dict[str, Any]) -> dict[str, Any]:
    """What stands between this machine and untrusted programs; what is missing is said aloud."""
    if settings["verifier"]["verifier"] != "code":
        return {}
    from .executor import SandboxError, Unprotected, probe

    try:
        found = probe()
    except SandboxError as error:
        raise UserError("sandbox", str(error), "programs cannot be run on this machine") from None
    missing = [each for each in found["missing"] if each not in settings["verifier"]["unprotected"]]
    if missing:
        raise UserError(
            "sandbox", str(Unprotected(missing, found["refused"])),
            f"run it where the kernel allows this, or let the recipe go on without: unprotected: {missing}",
        )  # fmt: skip
    if found["missing"]:
        print(
            f"warning: as the recipe allows, programs run without protection of {', '.join(found['missing'])}",
            file=sys.stderr,
        )
    return {"sandbox": found}


def run_table(args: argparse.Namespace) -> None:
    """`thoughtline verdicts verify --in`: each verifier in turn judges its rows, then all verdicts become one file."""
    given = settings_of(args) if args.settings else {}
    _refuse_contradictions(args, given)
    columns = dict(each.split("=", 1) for each in args.columns if "=" in each)
    if len(columns) != len(args.columns):
        raise UserError("--columns", f"{args.columns} is not all NAME=COLUMN", "say --columns response=completion")
    rows = renamed(read_table(args.table), columns, args.table)
    named = args.verifier or (complete(given)["verifier"]["verifier"] if given else None)
    deadline, work = deadline_of(args), args.work or args.out.parent / f".{args.out.name}.work"
    verdicts: list[dict[str, Any]] = []
    with recorded([args.out], [args.table], given) as record:
        for verifier, (questions, traces) in sorted(split(rows, named, args.table).items()):
            settings = complete(given or {"verifier": {"verifier": verifier}})
            record.details |= _protection(settings)
            part = work / verifier
            paths = write_part(part, questions, traces)
            with _options(args, settings, part, deadline) as options:
                verify_traces(
                    settings, *paths, part / "verdicts.parquet", part / "journal",
                    workers=args.concurrency if _asks(settings) else args.workers, deadline=deadline, options=options,
                    label=f"verdicts {args.table} {verifier}",
                )  # fmt: skip
            verdicts += read_rows(part / "verdicts.parquet", VERDICTS)
        write_rows(args.out, verdicts, VERDICTS, ["question_id", "sample", "trace_id"])
        record.counts = counts_of(len(rows), verdicts)
    print(json.dumps(record.counts))


def _refuse_contradictions(args: argparse.Namespace, given: dict[str, Any]) -> None:
    """With --in: options that say two different things."""
    for name in ("questions", "traces"):
        if getattr(args, name) is not None:
            raise UserError(
                f"--{name}", "was given beside --in", "give one table with --in, or --questions and --traces"
            )
    if args.verifier and given:
        raise UserError(
            "--verifier", "was given beside --settings", "the settings name the verifier: leave one of them out"
        )


def run_verify(args: argparse.Namespace) -> None:
    """`thoughtline verdicts verify`."""
    if args.out.suffix != ".parquet":
        raise UserError(
            f"--out {args.out}", "verdicts are a Parquet file", f"say --out {args.out.with_suffix('.parquet')}"
        )
    for given_file in (args.table, args.questions, args.traces):
        if given_file and given_file.resolve() == args.out.resolve():
            raise UserError(f"--out {args.out}", "is an input too, and would be overwritten", "give it another name")
    if args.table:
        run_table(args)
        return
    for name in ("settings", "questions", "traces"):
        if getattr(args, name) is None:
            raise UserError(f"--{name}", "is missing", "give it with --questions and --traces, or one table with --in")
    given = settings_of(args)
    settings = complete(given)
    deadline = deadline_of(args)
    work = args.work or args.out.parent / f".{args.out.name}.work"
    inputs = [args.questions, args.traces, *([args.model] if args.model else [])]
    with recorded([args.out], inputs, given) as record:
        record.details = _protection(settings)
        with _options(args, settings, work, deadline) as options:
            with load(settings, options) as verifier:  # type: ignore[attr-defined]
                record.details["fingerprint"] = verifier.fingerprint
            record.counts = verify_traces(
                settings, args.questions, args.traces, args.out, work,
                workers=args.concurrency if _asks(settings) else args.workers, deadline=deadline, options=options,
                label=f"verdicts {args.traces}",
            )  # fmt: skip
        if _asks(settings):
            record.details["judge"] = _judged(args.out)
    print(json.dumps(record.counts))


def run_agreement(args: argparse.Namespace) -> None:
    """`thoughtline verdicts agreement`."""
    settings = settings_of(args)
    inputs = [*args.questions, *args.verdicts, *args.judge_verdicts]
    with recorded([args.out], inputs, settings) as record:
        found = agreement(args.questions, args.verdicts, args.judge_verdicts)
        write_json(args.out, found)
        record.counts = found["counts"]
    print(agreement_text(found))


def run_show(args: argparse.Namespace) -> None:
    """`thoughtline verdicts show`."""
    rows = read_rows(args.file, VERDICTS)
    for (status, reason), count in sorted(Counter((row["status"], row["reason"]) for row in rows).items()):
        print(f"{count:8d}  {status}{f' ({reason})' if reason else ''}")
    chosen = [row for row in rows if args.status in (None, row["status"]) and args.reason in (None, row["reason"])]
    for row in chosen[: args.rows]:
        answer = " ".join((row["answer"] or "-").split())
        print(
            f"{row['trace_id']}  {row['status']:10}  {row['reason'] or '-':16}  {answer[:60]}  {row['evidence'][:200]}"
        )
    if len(chosen) > args.rows:
        print(f"... and {len(chosen) - args.rows} more (--rows)")
