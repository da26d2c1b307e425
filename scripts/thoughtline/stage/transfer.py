"""One file from the hub: resumed by byte range, checked against the hash that the hub publishes, then given its name.

huggingface_hub's own download is not used for the bytes: it compares sizes but no hashes, gives up at the first 5xx,
and cannot be told to stop before a deadline. Addresses, tokens and the connection pool are its own.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ..common.errors import OutOfTime, UserError
from .hub import SECONDS, File, endpoint, passing, pause, refusal, unreachable
from .needs import Need

PATIENCE = 8
"""Attempts in a row that bring no new byte before a file is given up."""

BLOCK = 1 << 20


class Hashes:
    """sha256 of content, and its id as a git blob, which is what the hub publishes for files outside LFS."""

    def __init__(self, size: int) -> None:
        self._sha256 = hashlib.sha256()
        self._blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        """Take more content."""
        self._sha256.update(data)
        self._blob.update(data)

    def add_file(self, path: Path) -> None:
        """Take a file's content."""
        with open(path, "rb") as stream:
            while data := stream.read(BLOCK):
                self.update(data)

    @property
    def sha256(self) -> str:
        """64 hex digits."""
        return self._sha256.hexdigest()

    def wrong(self, file: File) -> str | None:
        """What was found and what the hub publishes, where these differ."""
        if file.sha256 is not None:
            return None if self.sha256 == file.sha256 else f"sha256 {self.sha256}, the hub publishes {file.sha256}"
        blob = self._blob.hexdigest()
        return None if blob == file.blob else f"git blob id {blob}, the hub publishes {file.blob}"


def hashes_of(path: Path) -> Hashes:
    """Hashes of a whole file."""
    found = Hashes(path.stat().st_size)
    found.add_file(path)
    return found


class Transfer:
    """Downloads of one repository, from several threads.

    Args:
        need: which repository.
        parts: folder of unfinished files.
        arrived: called with each number of new bytes (negative: that many were thrown away).

    Attributes:
        stop: set it when no more may be loaded.
    """

    def __init__(self, need: Need, parts: Path, arrived: Callable[[int], None] = lambda count: None) -> None:
        self.need, self.parts, self.arrived = need, parts, arrived
        self.stop = threading.Event()

    def part(self, file: File) -> Path:
        """Where the bytes of an unfinished file are, under a flat name."""
        return self.parts / f"{file.blob}-{hashlib.sha256(file.path.encode()).hexdigest()[:16]}.part"

    def there(self, file: File) -> int:
        """Bytes that earlier attempts brought."""
        part = self.part(file)
        return min(part.stat().st_size, file.size) if part.is_file() else 0

    def fetch(self, file: File, final: Path) -> str:
        """Bring one file to its final name; returns its sha256.

        Raises:
            UserError: its content is not what the hub publishes, twice; or the hub refuses, or cannot be reached.
            OutOfTime: stop was set.
            OSError: the disk is full; what has come is kept.
        """
        part = self.part(file)
        part.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            hashes = self._load(file, part)
            wrong = hashes.wrong(file)
            if wrong is None:
                with open(part, "rb") as stream:
                    os.fsync(stream.fileno())
                final.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, final)
                return hashes.sha256
            self.arrived(-part.stat().st_size)
            part.unlink()
        raise UserError(
            f"{self.need}: {file.path}",
            f"arrived twice with {wrong}",
            "nothing of it was kept; a proxy or mirror between here and the hub may alter files, else tell the repository's owner",
        )

    def _load(self, file: File, part: Path) -> Hashes:
        """Add to `part` until it has the file's size (or more, if the hub sends more); hashes of its whole content."""
        hashes, vain = Hashes(file.size), 0
        with open(part, "ab") as stream:
            hashes.add_file(part)
            while stream.tell() < file.size:
                before = stream.tell()
                hashes, wait, problem = self._attempt(file, stream, hashes, vain)
                vain = 0 if stream.tell() > before else vain + 1
                if vain >= PATIENCE:
                    raise problem
                if vain:
                    print(f"{problem.where}: {problem.what}; asked again in {wait:.0f} s", file=sys.stderr, flush=True)
                if stream.tell() < file.size and self.stop.wait(wait):
                    raise OutOfTime
        return hashes

    def _attempt(self, file: File, stream: BinaryIO, hashes: Hashes, vain: int) -> tuple[Hashes, float, UserError]:
        """Add what one connection brings, after `vain` that brought nothing. Returns the hashes of all that is there, seconds to wait, and what went wrong.

        Raises:
            UserError: the hub refuses for good.
            OutOfTime: stop was set.
        """
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError

        try:
            for data, offset in self._pieces(file, stream.tell()):
                if offset != stream.tell():  # the hub knows no ranges and began anew
                    self.arrived(-stream.tell())
                    stream.truncate(0)
                    stream.seek(0)
                    hashes = Hashes(file.size)
                stream.write(data)
                hashes.update(data)
                self.arrived(len(data))
                if stream.tell() > file.size:
                    break
        except HfHubHTTPError as error:
            if not passing(error.response.status_code):
                raise refusal(self.need, error) from None
            return hashes, pause(error.response.headers, vain), refusal(self.need, error)
        except httpx2.TransportError as error:
            return hashes, pause({}, vain), unreachable(self.need, error)
        return hashes, 0.0, unreachable(self.need, ConnectionError("the connection closes too early"))

    def _pieces(self, file: File, start: int) -> Iterator[tuple[bytes, int]]:
        """Yield (bytes, the offset in the file at which they belong) from `start`, or from 0 where the hub knows no ranges.

        Raises:
            OutOfTime: stop was set between two pieces.
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        need = self.need
        address = hf_hub_url(need.id, file.path, repo_type=need.kind, revision=need.revision, endpoint=endpoint())
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with get_session().stream("GET", address, headers=headers, timeout=SECONDS, follow_redirects=True) as response:
            if response.status_code >= 400:
                response.read()
                hf_raise_for_status(response)
            offset = start if response.status_code == 206 else 0
            for data in response.iter_bytes():
                if self.stop.is_set():
                    raise OutOfTime
                yield data, offset
                offset += len(data)
