"""What the hub says of a repository at a commit: its files with their published hashes, its licence. Errors that help."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..common.deadline import Deadline
from ..common.errors import UserError
from .needs import Need

SECONDS = 30.0
"""A hub that says nothing for so long is taken for gone, and asked again."""


@dataclass(frozen=True)
class File:
    """A file as the hub publishes it: its size, its git blob id, and for large files (LFS) their sha256."""

    path: str
    size: int
    blob: str
    sha256: str | None


@dataclass(frozen=True)
class Repository:
    """A repository at one commit: path -> file, and the licence that its card names (null where it names none)."""

    files: dict[str, File]
    licence: str | list[str] | None


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, or huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def look_up(need: Need, deadline: Deadline) -> Repository:
    """Ask the hub for the files of a need's repository at its commit.

    Raises:
        UserError: there is no such repository or commit, one may not read it, or the hub cannot be reached.
        OutOfTime: the deadline came while the hub had no time for us.
    """
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=endpoint())
    place = {"repo_id": need.id, "revision": need.revision, "repo_type": need.kind}
    try:
        info = retried(lambda: api.repo_info(**place, timeout=SECONDS), deadline)
        tree = retried(lambda: list(api.list_repo_tree(**place, recursive=True)), deadline)
    except HfHubHTTPError as error:
        raise refusal(need, error) from None
    except httpx2.TransportError as error:
        raise unreachable(need, error) from None
    if info.sha != need.revision:
        raise UserError(str(need), f"the hub takes that revision for the commit {info.sha}", "pin the commit it shows")
    files = {
        entry.path: File(safe(need, entry.path), entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
        for entry in tree
        if isinstance(entry, RepoFile)
    }
    return Repository(files, info.card_data.to_dict().get("license") if info.card_data else None)


def safe(need: Need, path: str) -> str:
    """`path`, if it stays inside the repository's folder.

    Raises:
        UserError: it leads elsewhere.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise UserError(str(need), f"has a file with the path {path!r}", "such a repository is not staged")
    return path


def retried(ask: Callable[[], Any], deadline: Deadline, attempts: int = 6) -> Any:
    """What `ask` returns; asked again when the hub is overloaded or the connection is lost."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(attempts):
        headers: Any = {}
        try:
            return ask()
        except HfHubHTTPError as error:
            if attempt == attempts - 1 or not passing(error.response.status_code):
                raise
            headers, problem = error.response.headers, f"answers {error.response.status_code}"
        except httpx2.TransportError as error:
            if attempt == attempts - 1:
                raise
            problem = f"cannot be reached ({error})"
        wait = pause(headers, attempt)
        print(f"{endpoint()} {problem}; asked again in {wait:.0f} s", file=sys.stderr, flush=True)
        again = time.monotonic() + wait
        while time.monotonic() < again:
            deadline.check()
            time.sleep(0.2)
    raise AssertionError("the last attempt returns or raises")


def passing(status: int) -> bool:
    """Whether an HTTP status says: later perhaps."""
    return status in (408, 425, 429) or status >= 500


def pause(headers: Any, attempt: int) -> float:
    """Seconds to wait before asking again: what the hub says, else 1, 2, 4, ... up to 60; never more than 5 minutes."""
    said = headers.get("Retry-After", "")
    return min(float(said), 300.0) if said.isdigit() else min(2.0**attempt, 60.0)


def refusal(need: Need, error: Any) -> UserError:
    """An HTTP error of the hub as something that a person can act on."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    status = error.response.status_code
    page = f"{endpoint()}/{'datasets/' if need.kind == 'dataset' else ''}{need.id}"
    token = "the token of HF_TOKEN or `hf auth login` was sent" if get_token() else "no token was sent"
    if isinstance(error, GatedRepoError) or status == 403:
        return UserError(
            str(need),
            f"is gated, and the hub refuses ({status}; {token})",
            f"accept its terms at {page}, then set HF_TOKEN to a token of that account that may read it",
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(str(need), "has no such commit", f"its commits: {page}/commits/main")
    if status in (401, 404):
        kind = "data set" if need.kind == "dataset" else need.kind
        return UserError(
            str(need),
            f"the hub has no such {kind}, or it is private ({status}; {token})",
            f"check the id at {page}; for a private one set HF_TOKEN",
        )
    if passing(status):
        return UserError(str(need), f"the hub answers {status} again and again", "try later; what has come is kept")
    return UserError(str(need), f"the hub answers {status}", f"look at {page}")


def unreachable(need: Need, error: Exception) -> UserError:
    """A lost connection as something that a person can act on."""
    return UserError(
        str(need),
        f"{endpoint()} cannot be reached ({type(error).__name__}: {error})",
        "stage on a machine with internet (a login node), check the proxy (HTTPS_PROXY) or HF_ENDPOINT; what has come is kept",
    )
