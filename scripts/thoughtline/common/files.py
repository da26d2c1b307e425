"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import UserError


@contextlib.contextmanager
def atomic_path(final: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `final`; on success it is synced and renamed, on failure removed.

    A reader sees the old file, no file, or the whole new one. Works for a file only. What a killed writer of the
    same file left behind is removed on success.
    """
    final = Path(final)
    if final.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(final))
    final.parent.mkdir(parents=True, exist_ok=True)
    with _held(lambda: _temporary_file(final)) as part:
        try:
            yield part
            with open(part, "rb") as stream:
                os.fsync(stream.fileno())
            os.chmod(part, 0o666 & ~_umask())
            os.replace(part, final)
            _sweep(final)
            sync_directory(final.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def atomic_directory(final: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a fresh directory beside `final`; on success it takes the place of `final` by rename. Sweeps as `atomic_path`."""
    final = Path(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    with _held(lambda: _temporary_directory(final, ".part")) as part:
        try:
            yield part
            for path in part.rglob("*"):
                if path.is_file():
                    with open(path, "rb") as stream:
                        os.fsync(stream.fileno())
            os.chmod(part, 0o777 & ~_umask())
            if final.exists():
                old = _temporary_directory(final, ".old")
                os.replace(final, old / "old")
                os.replace(part, final)
                shutil.rmtree(old)
            else:
                os.replace(part, final)
            _sweep(final)
            sync_directory(final.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _temporary_file(final: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".part", dir=final.parent)
    os.close(handle)
    return Path(name)


def _temporary_directory(final: Path, suffix: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=suffix, dir=final.parent))


def _lock(path: Path) -> int | None:
    """A descriptor that holds `path` exclusively; None if somebody else holds it, or the file system cannot say."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextlib.contextmanager
def _held(make: Callable[[], Path]) -> Iterator[Path]:
    """A temporary path, locked while it is written, so that a sweep can tell it from one whose writer was killed."""
    part = make()
    handle = _lock(part)
    while not part.exists():  # another writer of this artifact swept it between its making and its lock
        part = make()
        handle = _lock(part)
    try:
        yield part
    finally:
        if handle is not None:
            os.close(handle)


def _sweep(final: Path) -> None:
    """Remove temporary paths of `final` that no living process holds: SIGKILL leaves them."""
    for path in final.parent.glob(f".{glob.escape(final.name)}.*"):
        if path.suffix not in (".part", ".old") or (handle := _lock(path)) is None:
            continue
        try:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_directory(path: Path) -> None:
    """Make a rename in `path` survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` atomically, UTF-8."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` atomically as indented JSON with sorted keys and a final newline."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON; a broken file is a UserError that names it and the position."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            str(path), f"cannot be read ({error.strerror})", "make it first, or name the right file"
        ) from None
    except json.JSONDecodeError as error:
        raise UserError(str(path), f"is not JSON ({error})", "mend or delete it") from None


def sha256_file(path: str | os.PathLike[str]) -> str:
    """sha256 of a file's bytes, 64 hex digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
