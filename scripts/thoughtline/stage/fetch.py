"""One repository into the stage: what is missing is loaded in parallel, checked, and only then has its name and a manifest."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from ..common.command import recorded
from ..common.deadline import Deadline
from ..common.errors import UserError
from ..common.files import read_json, write_json
from ..common.journal import Journal
from ..common.lease import Lease
from ..common.progress import Progress
from ..provenance.sidecar import sidecar_path
from .hub import File, Repository, endpoint, look_up
from .needs import Need, chosen
from .staged import lost_files
from .transfer import Transfer, hashes_of

FORMAT = 1
MB = 1_000_000


def lease_of(work: Path, deadline: Deadline) -> Lease:
    """The lease of a repository's work folder; waits for whoever fetches the same revision, who may be another recipe.

    Raises:
        OutOfTime: the deadline came first.
    """
    told = False
    while True:
        try:
            return Lease(work)
        except UserError as error:
            if not told:
                print(f"{work}: waiting, {error.what}", file=sys.stderr, flush=True)
            told = True
            deadline.check()
            time.sleep(1)


def state_of(path: str, final: Path) -> str:
    """What tells an untouched file: its path, size and time of change."""
    facts = final.stat()
    return f"{path} {facts.st_size} {facts.st_mtime_ns}"


class Counter:
    """Bytes that threads have loaded."""

    def __init__(self) -> None:
        self.bytes, self._lock = 0, threading.Lock()

    def add(self, count: int) -> None:
        """`count` more bytes; a negative number was thrown away again."""
        with self._lock:
            self.bytes += count


def check_space(stage: Path, need: Need, missing: int) -> None:
    """Refuse to begin what cannot end for want of room.

    Raises:
        UserError: fewer bytes are free than are missing.
    """
    free = shutil.disk_usage(stage).free
    if missing > free:
        raise UserError(
            str(stage),
            f"{need} needs {missing / MB:,.1f} MB more, only {free / MB:,.1f} MB are free",
            "make room, or give another stage (config key `stage`, option --stage)",
        )


def present(files: list[File], folder: Path, journal: Journal, deadline: Deadline) -> dict[str, str]:
    """Path -> sha256 of the files that are whole in `folder` already.

    A file that an earlier fetch finished and nobody touched is not read again; any other, say one put there by hand,
    counts if its content is what the hub publishes.
    """
    found: dict[str, str] = {}
    for file in files:
        final = folder / file.path
        if not final.is_file() or final.stat().st_size != file.size:
            continue
        state = state_of(file.path, final)
        if row := journal.rows.get(state):
            found[file.path] = row["sha256"]
            continue
        deadline.check()
        hashes = hashes_of(final)
        if hashes.wrong(file) is None:
            found[file.path] = hashes.sha256
            journal.append({"file": state, "sha256": hashes.sha256})
    return found


def load_all(
    transfer: Transfer, files: list[File], folder: Path, connections: int, deadline: Deadline, journal: Journal
) -> dict[str, str]:
    """Path -> sha256 of `files`, once all are in `folder`.

    Raises:
        UserError, OSError: the first that any file met; the others stop and keep what they have.
        OutOfTime: the deadline came.
    """
    counter, total = Counter(), sum(file.size - transfer.there(file) for file in files)
    transfer.arrived = counter.add
    hashes: dict[str, str] = {}
    with (
        Progress(-(-total // MB), f"stage {transfer.need.id}", "MB") as progress,
        ThreadPoolExecutor(connections) as pool,
    ):
        largest_first = sorted(files, key=lambda file: (-file.size, file.path))
        jobs: dict[Future[str], File] = {
            pool.submit(transfer.fetch, file, folder / file.path): file for file in largest_first
        }
        waiting = set(jobs)
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                for job in done:
                    file = jobs[job]
                    hashes[file.path] = job.result()
                    journal.append({"file": state_of(file.path, folder / file.path), "sha256": hashes[file.path]})
                progress.advance(max(0, counter.bytes // MB - progress.done), f"{len(hashes)}/{len(files)} files")
                if waiting:
                    deadline.check()
            progress.advance(progress.total - progress.done)
        finally:
            transfer.stop.set()
            for job in waiting:
                job.cancel()
    return hashes


def manifest_of(need: Need, repository: Repository, hashes: dict[str, str]) -> dict[str, Any]:
    """The manifest's content; times and the host are in its sidecar, so that the same files give the same manifest."""
    files = [
        {
            "path": path,
            "bytes": repository.files[path].size,
            "sha256": hashes[path],
            "git_blob": repository.files[path].blob,
            "lfs": repository.files[path].sha256 is not None,
        }
        for path in sorted(hashes)
    ]
    total = sum(file["bytes"] for file in files)
    return {"format": FORMAT, **need.settings(), "licence": repository.licence, "bytes": total, "files": files}


def fetch(need: Need, stage: Path, work: Path, connections: int, deadline: Deadline) -> dict[str, Any]:
    """Fetch what is missing of a need and write its manifest and sidecar; returns the manifest.

    Args:
        need: repository, commit and files.
        stage: the stage's folder.
        work: folder of lease, journal and unfinished files; on the stage's file system.
        connections: files that are loaded at once.

    Raises:
        UserError: see look_up, chosen, check_space, Transfer.fetch.
        OutOfTime: the deadline came; what has come is kept.
    """
    with lease_of(work, deadline):
        manifest, folder = need.manifest(stage), need.folder(stage)
        if manifest.is_file() and sidecar_path(manifest).is_file():
            known = read_json(manifest)
            if not lost_files(known, folder):
                return known
        stage.mkdir(parents=True, exist_ok=True)
        with recorded([manifest], [], need.settings()) as record:
            began = time.monotonic()
            repository = look_up(need, deadline)
            files = [repository.files[path] for path in sorted(chosen(need, repository.files))]
            transfer = Transfer(need, work / "parts")
            with Journal(work / "staged.jsonl", "file", {"id": need.id, "revision": need.revision}) as journal:
                hashes = present(files, folder, journal, deadline)
                missing = [file for file in files if file.path not in hashes]
                check_space(stage, need, sum(file.size - transfer.there(file) for file in missing))
                if missing:
                    hashes |= load_all(transfer, missing, folder, connections, deadline, journal)
            with contextlib.suppress(OSError):  # another selection of this revision may have unfinished files there
                (work / "parts").rmdir()
            content = manifest_of(need, repository, hashes)
            write_json(manifest, content)
            rest = len(repository.files) - len(files)
            record.counts = {
                "in": len(repository.files),
                "out": len(files),
                "dropped": {"not_needed": rest} if rest else {},
                "loaded": len(missing),
                "bytes": content["bytes"],
            }
            record.details = {"hub": endpoint(), "seconds": round(time.monotonic() - began, 1)}
        return content
