"""The judge, against a small service that speaks the OpenAI protocol."""

import argparse
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.rows import VERDICTS, read_rows, seed_of
from thoughtline.traces.server import Server
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.cli import register
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.judge import reading
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace, write

TEMPLATE = "{{ problem }} | {{ reference }} | {{ response }}"


class Service(ThreadingHTTPServer):
    """Answers with what `script(messages)` returns, and remembers what it was asked; dead once it has answered `dies_after`."""

    daemon_threads = True

    def __init__(self, script):
        self.asked, self.script, self.dies_after = [], script, None
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def dead(self):
        return self.server.dies_after is not None and len(self.server.asked) >= self.server.dies_after

    def do_GET(self):
        if not self.dead():
            self.reply({"data": []})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.dead():
            return
        self.server.asked.append(body)
        text = self.server.script(body["messages"])
        self.reply({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})

    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    made = []

    def start(script):
        made.append(Service(script))
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()


def settings_of(url, **changes):
    judge = {"verifier": "judge", "model": "judge", "template": TEMPLATE, "system": "Be strict.", **changes}
    return {"verifier": judge, "seed": 7, "endpoint": {"url": url, "model": "j", "revision": "r1"}}


ASKED = question("2+2?", "4")


@pytest.mark.parametrize(
    ("reply", "meant"),
    [("Yes", True), ("yes.", True), ("NO", False), ("Not quite: no", False), ("yes and no", None), ("perhaps", None),
     ("", None), ("yesterday", None), ("I know", None)],
)  # fmt: skip
def test_reading(reply, meant):
    assert reading(reply, r"\byes\b", r"\bno\b") is meant


def test_it_sees_problem_reference_and_response_only(service):
    server = service(lambda messages: "<think>no, no</think>Yes")
    row = {**trace(ASKED, "It is 4."), "reasoning": "secret thoughts"}
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(ASKED, row)
    assert (verdict.status, verdict.reason, verdict.evidence) == ("correct", "", {"extracted": None, "judge": ["Yes"]})
    (body,) = server.asked
    assert body["messages"] == [
        {"role": "system", "content": "Be strict."},
        {"role": "user", "content": "2+2? | 4 | It is 4."},
    ]
    assert (body["model"], body["temperature"], body["seed"]) == ("j", 0.0, seed_of(row["trace_id"], 7))


def test_one_repair_then_unparsed(service):
    server = service(lambda messages: "no" if len(messages) > 2 else "Well, yes and no.")
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, "5"))
    assert (verdict.status, verdict.reason) == ("incorrect", "judge_no")
    assert verdict.evidence == {"extracted": None, "judge": ["Well, yes and no.", "no"]}
    assert [message["role"] for message in server.asked[1]["messages"]] == ["system", "user", "assistant", "user"]
    assert server.asked[1]["messages"][-1]["content"] == "Answer with one word only: yes or no."

    server = service(lambda messages: "Hm.")
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, "5"))
    assert (verdict.status, verdict.reason) == ("unparsed", "judge_unclear")
    assert len(server.asked) == 2


def test_it_is_not_asked_where_there_is_nothing_to_judge(service):
    server = service(lambda messages: "yes")
    with verifier_for(settings_of(server.url)) as verifier:
        assert verifier.verify(question("q"), trace(ASKED, "5")).reason == "no_reference"
        assert verifier.verify(ASKED, trace(ASKED, "", status="truncated")).reason == "truncated"
    assert server.asked == []


def test_fingerprint_follows_model_and_prompt_and_not_the_address(service):
    first, second = service(lambda messages: "yes"), service(lambda messages: "yes")

    def fingerprint(settings):
        with verifier_for(settings) as verifier:
            return verifier.fingerprint

    base = fingerprint(settings_of(first.url))
    assert fingerprint(settings_of(second.url)) == base
    assert fingerprint(settings_of(first.url, template="{{ response }}")) != base
    other = settings_of(first.url)
    other["endpoint"]["revision"] = "r2"
    assert fingerprint(other) != base


def test_needs_endpoint_or_weights():
    settings = settings_of("http://127.0.0.1:1/v1")
    with pytest.raises(UserError, match="--model"):
        verifier_for({**settings, "endpoint": None})


def test_service_that_goes_down_invents_no_rows(service, tmp_path, monkeypatch):
    rows = [question(f"q{n}", "4") for n in range(6)]
    paths = write(tmp_path, rows, [trace(row, "4") for row in rows])
    server = service(lambda messages: "yes")
    server.dies_after = 3
    settings = complete(settings_of(server.url))
    monkeypatch.setattr("thoughtline.traces.client.ChatClient._wait", lambda self, attempt, last: 0.0)
    out, work = tmp_path / "v.parquet", tmp_path / "work"
    with pytest.raises(UserError, match="no answer after"):
        verify_traces(settings, *paths, out, work, workers=1)
    assert not out.exists()
    server.dies_after = None
    counts = verify_traces(settings, *paths, out, work, workers=3)
    assert counts["status"] == {"correct": 6}
    assert len(server.asked) == 6  # the first three were not asked again
    assert {row["status"] for row in read_rows(out, VERDICTS)} == {"correct"}


def test_the_judge_with_weights_is_asked_at_its_server(service, tmp_path, monkeypatch):
    """vLLM's place is taken by the small service; all else is the command."""
    server = service(lambda messages: "yes")
    given = {}

    @contextlib.contextmanager
    def serving(model_json, engine, **options):
        given.update(options, model=model_json, engine=engine)
        yield Server(server.url, "judge", (), tmp_path)

    monkeypatch.setattr("thoughtline.traces.server.serving", serving)
    (tmp_path / "model.json").write_text(json.dumps({"revision": "sha256:1"}))
    questions, traces = write(tmp_path, [ASKED], [trace(ASKED, "4")])
    settings = {**settings_of(server.url), "endpoint": None, "engine": {"dtype": "float32"}}
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = ["verify", "--settings", json.dumps(settings), "--model", str(tmp_path / "model.json"), "--linger", "5"]
    arguments += ["--questions", str(questions), "--traces", str(traces), "--out", str(tmp_path / "v.parquet")]
    args = parser.parse_args([*arguments, "--servers", str(tmp_path / "servers")])
    args.run(args)
    (row,) = read_rows(tmp_path / "v.parquet", VERDICTS)
    assert (row["status"], row["verifier"]) == ("correct", "judge")
    assert (given["engine"], given["linger"], given["folder"]) == ({"dtype": "float32"}, 5, tmp_path / "servers")
