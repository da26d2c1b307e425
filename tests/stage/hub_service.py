"""A model hub on this machine: the paths of the Hugging Face hub that its client library asks, real bytes, and faults to order.

The true hub cannot be reached from tests, nor be made to break connections or to serve wrong bytes.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000
"""Files of so many bytes are in LFS: published with their sha256, and served from another host after a redirect."""
PAGE = 3
"""Entries of a page of a file list."""
CHUNK = 8192


def git_blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """Serves `repositories` {(kind, id): {revision: {path: content}}} at `url` while it is entered."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.repositories: dict = {}
        self.gated: dict[str, str] = {}  # id -> the token that opens it
        self.cuts: dict[str, list[int]] = defaultdict(list)  # path -> bytes after which the next connections break
        self.answers: dict[str, list[int]] = defaultdict(list)  # path -> statuses of the next answers
        self.retry_after = "0"
        self.altered: dict[str, list[bool]] = defaultdict(list)  # path -> whether the next bytes are wrong ones
        self.ranges = True
        self.bytes_a_second = 0  # of a connection; 0: as fast as it goes
        self.served: dict[str, int] = defaultdict(int)  # path -> bytes that went out
        self.asked: list[tuple[str, str | None, str | None]] = []  # (path, Range, Authorization) of requests for bytes
        self.requests = 0

    def add(self, kind: str, name: str, files: dict[str, bytes], revision: str = REVISION) -> None:
        self.repositories.setdefault((kind, name), {})[revision] = files

    def __enter__(self) -> Hub:
        self.server = ThreadingHTTPServer((self.address, 0), type("Handler", (Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://{self.address}:{self.server.server_port}"
        elsewhere = "localhost" if self.address == "127.0.0.1" else self.address
        self.storage = f"http://{elsewhere}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # who asked was killed
            self.close_connection = True

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.say(status, b"{}", X_Error_Code=code, X_Error_Message=code)

    def repository(self, kind: str, name: str, revision: str) -> dict[str, bytes] | None:
        revisions = self.hub.repositories.get((kind, name))
        if revisions is None:
            self.refuse(401, "RepoNotFound")
        elif revision not in revisions:
            self.refuse(404, "RevisionNotFound")
        else:
            return revisions[revision]
        return None

    def do_GET(self) -> None:
        self.hub.requests += 1
        address = urlsplit(self.path)
        parts = unquote(address.path).strip("/").split("/")
        if parts[0] == "api":
            self.api(parts[1:], {key: value[0] for key, value in parse_qs(address.query).items()})
        elif parts[0] == "storage":
            path, data, _ = self.found(parts[1:])
            self.content(path, data)
        else:
            self.resolve(parts)

    def api(self, parts: list[str], query: dict[str, str]) -> None:
        if parts[0] not in ("models", "datasets"):  # the client library asks for more than we need
            return self.say(404)
        kind, name, what, revision = parts[0].rstrip("s"), "/".join(parts[1:3]), parts[3], parts[4]
        if self.hub.answers["api"]:
            return self.say(self.hub.answers["api"].pop(0), Retry_After=self.hub.retry_after)
        files = self.repository(kind, name, revision)
        if files is None:
            return None
        if what == "revision":
            card = files.get("README.md", b"").decode()
            data = yaml.safe_load(card.split("---")[1]) if card.startswith("---") else None
            return self.say(200, json.dumps({"id": name, "sha": revision, "cardData": data, "siblings": []}).encode())
        folders = sorted({path.rpartition("/")[0] for path in files} - {""})
        entries = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders]
        for path, data in sorted(files.items()):
            entry = {"type": "file", "path": path, "oid": git_blob(data), "size": len(data)}
            if len(data) >= LARGE:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
                entry["oid"] = git_blob(entry["lfs"]["oid"].encode())
            entries.append(entry)
        start = int(query.get("cursor", "0"))
        more = {}
        if start + PAGE < len(entries):
            more["Link"] = (
                f'<{self.hub.url}{urlsplit(self.path).path}?recursive=True&cursor={start + PAGE}>; rel="next"'
            )
        return self.say(200, json.dumps(entries[start : start + PAGE]).encode(), **more)

    def found(self, parts: list[str]) -> tuple[str, bytes | None, str]:
        """Path in the repository, its content, the repository's name, of [datasets] OWNER NAME resolve REVISION PATH."""
        kind = "model"
        if parts[0] == "datasets":
            kind, parts = "dataset", parts[1:]
        name, revision, path = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        files = self.repository(kind, name, revision)
        return path, None if files is None else files[path], name

    def resolve(self, parts: list[str]) -> None:
        path, data, name = self.found(parts)
        if data is None:
            return
        if name in self.hub.gated:
            token = self.headers.get("Authorization")
            if token != f"Bearer {self.hub.gated[name]}":
                self.refuse(403 if token else 401, "GatedRepo")
                return
        if len(data) >= LARGE:
            self.say(302, Location=f"{self.hub.storage}/storage{self.path}")
        else:
            self.content(path, data)

    def content(self, path: str, data: bytes) -> None:
        hub = self.hub
        wanted = self.headers.get("Range")
        hub.asked.append((path, wanted, self.headers.get("Authorization")))
        if hub.answers[path]:
            self.say(hub.answers[path].pop(0), Retry_After=hub.retry_after)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.ranges else 0
        if hub.altered[path] and hub.altered[path].pop(0):
            data = data[:-1] + bytes([data[-1] ^ 1])
        end = min(start + hub.cuts[path].pop(0) if hub.cuts[path] else len(data), len(data))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        for at in range(start, end, CHUNK):
            piece = data[at : min(at + CHUNK, end)]
            self.wfile.write(piece)
            hub.served[path] += len(piece)
            if hub.bytes_a_second:
                time.sleep(len(piece) / hub.bytes_a_second)
        self.close_connection = end < len(data)
