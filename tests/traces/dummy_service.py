"""What the tests of traces share: a small OpenAI-compatible service that can be made to fail, and tiny questions."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from thoughtline.common.canonical import sha256_text
from thoughtline.common.rows import QUESTIONS, question_id, write_rows

Fault = tuple[Any, ...]


class Service(ThreadingHTTPServer):
    """Replies depend on the request alone. `faults` says what goes wrong instead: body, number -> fault or None.

    Faults: ("status", code, headers, text), ("disconnect",), ("hang", seconds), ("text", body).
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.bodies: list[dict[str, Any]] = []
        self.running = self.most_running = 0
        self.delay = 0.0
        self.lock = threading.Lock()
        self.faults: Callable[[dict[str, Any], int], Fault | None] = lambda body, number: None
        self.message: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: {}
        self.finish_reason = "stop"
        self.keys: list[str | None] = []
        self.closed = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """Clients that are killed break their connections."""

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.shutdown()
            self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def log_message(self, *_: Any) -> None:
        pass

    def send(self, code: int, text: str, headers: dict[str, str] | None = None) -> None:
        data = text.encode()
        self.send_response(code)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.send(200, '{"data": []}')

    def do_POST(self) -> None:
        service = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with service.lock:
            service.bodies.append(body)
            service.keys.append(self.headers.get("Authorization"))
            number = len(service.bodies)
            service.running += 1
            service.most_running = max(service.most_running, service.running)
        try:
            time.sleep(service.delay)
            fault = service.faults(body, number)
            if service.closed:
                self.close_connection = True
                return
            self.reply(body, fault)
        finally:
            with service.lock:
                service.running -= 1

    def reply(self, body: dict[str, Any], fault: Fault | None) -> None:
        kind = fault[0] if fault else None
        if fault and kind == "status":
            self.send(fault[1], fault[3], fault[2])
            return
        if fault and kind == "hang":
            time.sleep(fault[1])
        text = json.dumps(answer_of(body, self.server.message(body), self.server.finish_reason))
        if fault and kind == "text":
            text = fault[1]
        if kind == "disconnect":
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[:20].encode())
            self.close_connection = True
            return
        with suppress(OSError):
            self.send(200, text)


def answer_of(body: dict[str, Any], message: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    """A chat completion that depends on the prompt and the seed only."""
    word = sha256_text(json.dumps([body["messages"], body.get("seed"), body.get("temperature")]))[:8]
    content = f"<think>I think of {word}.</think>\nThe answer is {word}."
    return {
        "choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
    }


def question(problem: str, **fields: Any) -> dict[str, Any]:
    """A row of QUESTIONS."""
    empty = dict.fromkeys(QUESTIONS.names)
    row = {**empty, "domain": "math", "source": "test", "problem": problem, "metadata": "{}", **fields}
    return {**row, "question_id": question_id(row["domain"], problem, row["choices"])}


def write_questions(path: Path, count: int, first: int = 0) -> Path:
    write_rows(path, [question(f"What is {n} + 1?") for n in range(first, first + count)], QUESTIONS, ["question_id"])
    return path


def settings_for(url: str | None, **changes: Any) -> dict[str, Any]:
    """Settings as recipe.settings.traces makes them."""
    endpoint = url and {"url": url, "model": "m", "revision": "1", "key_variable": None}
    return {
        "model": "m",
        "engine": {},
        "endpoint": endpoint,
        "samples": 2,
        "sampling": {"temperature": 0.7, "top_p": 1.0, "top_k": None, "max_tokens": 16, "stop": []},
        "prompt": {"system": None, "template": "{{ problem }}", "examples": []},
        "seed": 42,
        "code": "c0de",
        "environment": {"lock": "10c"},
        **changes,
    }


def command(settings: dict[str, Any], questions: Path, out: Path, work: Path, *more: str) -> list[str]:
    """The command line of `traces generate`."""
    words = ["--settings", json.dumps(settings), "--questions", str(questions), "--out", str(out), "--work", str(work)]
    return [sys.executable, "-m", "thoughtline", "traces", "generate", *words, *more]


def call(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found
