"""`thoughtline traces generate`, run as people run it, against a service that fails on demand."""

import json
import resource
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dummy_service import Service, call, command, question, settings_for, until, write_questions
from thoughtline.common.lease import Lease
from thoughtline.common.rows import QUESTIONS, TRACES, read_rows, seed_of, trace_id, write_rows
from thoughtline.traces.requests import requests_of, revision_of

QUICK = ("--retries", "1", "--concurrency", "4")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path / "q.parquet", 12)


@pytest.fixture
def whole(service, questions, tmp_path) -> bytes:
    """The shard of an uninterrupted run."""
    out = tmp_path / "whole" / "0000.parquet"
    done = call(command(settings_for(service.url), questions, out, tmp_path / "whole.work", *QUICK))
    assert done.returncode == 0, done.stderr
    service.bodies.clear()
    return out.read_bytes()


def journal(work: Path) -> list[dict]:
    return [json.loads(line) for line in (work / "traces.jsonl").read_text().splitlines()[1:]]


def test_rows_ids_seeds_and_sidecar(service, questions, tmp_path):
    out, settings = tmp_path / "a" / "set" / "0000.parquet", settings_for(service.url)
    assert call(command(settings, questions, out, tmp_path / "w")).returncode == 0
    rows = read_rows(out, TRACES)
    assert len(rows) == 24 and rows == sorted(rows, key=lambda row: (row["question_id"], row["sample"]))
    assert pq.read_schema(out).equals(TRACES)
    by_prompt = {(body["messages"][-1]["content"], body["seed"]) for body in service.bodies}
    for row in rows:
        messages = json.loads(row["messages"])
        revision = revision_of(settings, None)
        assert row["trace_id"] == trace_id(row["question_id"], messages, revision, settings["sampling"], row["sample"])
        assert row["seed"] == seed_of(row["trace_id"], 42)
        assert (messages[-1]["content"], row["seed"]) in by_prompt
        assert row["status"] == "finished" and row["reasoning"] and row["response"]
    assert len({row["seed"] for row in rows}) == 24
    sidecar = json.loads(Path(f"{out}.prov.json").read_text())
    assert sidecar["counts"] == {"in": 24, "out": 24, "dropped": {}, "questions": 12, "status": {"finished": 24}}
    assert sidecar["details"]["requests"] == 24 and sidecar["details"]["output_tokens"] == 24 * 7
    assert [each["path"] for each in sidecar["inputs"]] == [str(questions)]


def test_each_outcome_is_one_row(service, tmp_path):
    texts = {"long": ("status", 400, {}, '{"error": "maximum context length"}'), "bug": ("status", 500, {}, "bug")}
    service.faults = lambda body, number: texts.get(body["messages"][-1]["content"])
    write_rows(tmp_path / "q", [question(each) for each in ("fine", "long", "bug")], QUESTIONS, ["question_id"])
    out = tmp_path / "0000.parquet"
    done = call(command(settings_for(service.url, samples=1), tmp_path / "q", out, tmp_path / "w", "--retries", "0"))
    assert done.returncode == 0, done.stderr
    found = {json.loads(row["messages"])[-1]["content"]: row for row in read_rows(out, TRACES)}
    assert {key: row["status"] for key, row in found.items()} == {"fine": "finished", "long": "failed", "bug": "failed"}
    assert found["long"]["error"] == "HTTP 400: maximum context length"
    assert found["long"]["response"] is None and found["long"]["finish_reason"] is None
    # A request that can never succeed is remembered; one whose tries were used up is tried again by the next run.
    assert {row["question_id"] for row in journal(tmp_path / "w")} == {
        found[key]["question_id"] for key in ("fine", "long")
    }


def test_a_second_run_asks_nothing(service, questions, tmp_path, whole):
    out = tmp_path / "again" / "0000.parquet"
    service.close()
    done = call(command(settings_for(service.url), questions, out, tmp_path / "whole.work"))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == whole
    assert json.loads(Path(f"{out}.prov.json").read_text())["details"]["rows_reused"] == 24


def test_kill_9_in_the_middle_then_rerun_gives_the_same_bytes(service, questions, tmp_path, whole):
    out, work = tmp_path / "killed" / "0000.parquet", tmp_path / "w"
    words = command(settings_for(service.url), questions, out, work, *QUICK)
    service.delay = 0.1
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until(lambda: len(service.bodies) > 10)
    process.kill()
    process.wait()
    assert not out.exists()
    kept = len(journal(work))
    assert 0 < kept < 24
    with open(work / "traces.jsonl", "ab") as stream:  # what a kill in the middle of a write leaves
        stream.write(b'{"trace_id": "torn')
    service.delay = 0
    service.bodies.clear()
    done = call(words)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == whole
    assert len(service.bodies) == 24 - kept
    assert f"{kept} from an earlier run" in done.stderr


def test_a_duplicate_journal_row_counts_once(service, questions, tmp_path, whole):
    work, out = tmp_path / "whole.work", tmp_path / "again" / "0000.parquet"
    lines = (work / "traces.jsonl").read_text().splitlines(keepends=True)
    (work / "traces.jsonl").write_text("".join([*lines, lines[1], lines[-1]]))
    assert call(command(settings_for(service.url), questions, out, work)).returncode == 0
    assert out.read_bytes() == whole and service.bodies == []


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": {"system": "Be brief.", "template": "{{ problem }}", "examples": []}},
        {"sampling": {"temperature": 0.6, "top_p": 1.0, "top_k": None, "max_tokens": 16, "stop": []}},
        {"code": "other"},
        {"seed": 43},
        {"environment": {"lock": "11c"}},
    ],
)
def test_changed_settings_reuse_no_row(service, questions, tmp_path, whole, change):
    work, before = tmp_path / "whole.work", (tmp_path / "whole.work" / "traces.jsonl").read_bytes()
    out = tmp_path / "new" / "0000.parquet"
    assert call(command(settings_for(service.url, **change), questions, out, work)).returncode == 0
    assert len(service.bodies) == 24
    # Nothing old is lost: it stays in the journal, or in one set aside.
    assert any(path.read_bytes().startswith(before) for path in work.glob("traces.jsonl*"))
    assert "system" in service.bodies[0]["messages"][0]["role"] or "prompt" not in change


def test_more_samples_and_questions_make_only_what_is_new(service, questions, tmp_path, whole):
    work, out = tmp_path / "whole.work", tmp_path / "more" / "0000.parquet"
    assert call(command(settings_for(service.url, samples=4), questions, out, work)).returncode == 0
    assert len(service.bodies) == 24
    rows = read_rows(out, TRACES)
    assert len(rows) == 48
    old = read_rows(tmp_path / "whole" / "0000.parquet", TRACES)
    assert [row for row in rows if row["sample"] < 2] == old
    service.bodies.clear()
    write_questions(tmp_path / "q15", 15)
    assert call(command(settings_for(service.url, samples=4), tmp_path / "q15", out, work)).returncode == 0
    assert len(service.bodies) == 3 * 4 and len(read_rows(out, TRACES)) == 60


def test_the_service_dies_in_the_middle(service, questions, tmp_path, whole):
    out, work = tmp_path / "died" / "0000.parquet", tmp_path / "w"
    port = service.server_address[1]

    def die(body, number):
        if number == 9:
            service.close()

    service.faults = die
    done = call(command(settings_for(service.url), questions, out, work, *QUICK))
    assert done.returncode == 2 and "connection failed" in done.stderr and "run the same command again" in done.stderr
    assert not out.exists()
    kept = journal(work)
    assert 0 < len(kept) < 24 and {row["status"] for row in kept} == {"finished"}
    again = Service(port)
    try:
        assert call(command(settings_for(again.url), questions, out, work, *QUICK)).returncode == 0
        assert len(again.bodies) == 24 - len(kept)
    finally:
        again.close()
    assert out.read_bytes() == whole


def test_a_full_disk_is_a_clear_error_and_loses_nothing(service, questions, tmp_path, whole):
    out, work = tmp_path / "full" / "0000.parquet", tmp_path / "w"
    words = command(settings_for(service.url), questions, out, work, *QUICK)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    done = call(words, preexec_fn=limit)
    assert done.returncode == 2, done.stderr
    assert "cannot be written (File too large)" in done.stderr and "finished rows are kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(out.parent.glob("*")) == [] if out.parent.exists() else True
    service.bodies.clear()
    assert call(words).returncode == 0
    assert 0 < len(service.bodies) < 24
    assert out.read_bytes() == whole


def test_a_full_disk_at_the_end_leaves_no_half_file(service, questions, tmp_path, whole):
    out = tmp_path / "full" / "0000.parquet"
    words = command(settings_for(service.url), questions, out, tmp_path / "whole.work")
    done = call(words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
    assert done.returncode == 2 and "cannot be written" in done.stderr, done.stderr
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("how", ["deadline", "sigterm"])
def test_out_of_time_exits_75_and_goes_on(service, questions, tmp_path, whole, how):
    out, work = tmp_path / "late" / "0000.parquet", tmp_path / "w"
    service.delay = 0.5
    words = command(settings_for(service.url), questions, out, work, "--concurrency", "2")
    process = subprocess.Popen(
        [*words, *(["--minutes", "0.05"] if how == "deadline" else [])], stderr=subprocess.PIPE, text=True
    )
    if how == "sigterm":
        until(lambda: len(service.bodies) >= 5)
        process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75 and "run the same command again" in errors
    assert not out.exists()
    # Requests that ran at the deadline were waited for, none was started after it.
    kept = len(journal(work))
    assert kept == len(service.bodies) < 24
    service.delay = 0
    assert call(words).returncode == 0
    assert out.read_bytes() == whole and len(service.bodies) == 24


def test_two_writers_are_refused(service, questions, tmp_path):
    with Lease(tmp_path / "w"):
        done = call(command(settings_for(service.url), questions, tmp_path / "out.parquet", tmp_path / "w"))
    assert done.returncode == 2 and "another writer" in done.stderr and service.bodies == []


def test_order_and_concurrency_do_not_matter(service, questions, tmp_path, whole):
    out = tmp_path / "one" / "0000.parquet"
    service.faults = lambda body, number: time.sleep(0.01 * (number % 3))
    words = command(settings_for(service.url), questions, out, tmp_path / "w", "--concurrency", "24")
    assert call(words).returncode == 0
    assert out.read_bytes() == whole


def test_missing_key(service, questions, tmp_path):
    settings = settings_for(service.url)
    settings["endpoint"]["key_variable"] = "NO_SUCH_KEY"
    done = call(command(settings, questions, tmp_path / "o.parquet", tmp_path / "w"))
    assert done.returncode == 2 and "NO_SUCH_KEY" in done.stderr


def test_missing_model(questions, tmp_path):
    done = call(command(settings_for(None), questions, tmp_path / "o.parquet", tmp_path / "w"))
    assert done.returncode == 2 and "--model: is missing" in done.stderr


def test_an_empty_shard(service, tmp_path):
    write_rows(tmp_path / "q", [], QUESTIONS, ["question_id"])
    out = tmp_path / "0000.parquet"
    assert call(command(settings_for(service.url), tmp_path / "q", out, tmp_path / "w")).returncode == 0
    assert read_rows(out, TRACES) == [] and pq.read_schema(out).equals(TRACES)


def test_a_repeated_question_is_an_error():
    with pytest.raises(Exception, match="more than once"):
        requests_of([question("a"), question("A ")], settings_for("http://x"), "r")


def test_show(service, questions, tmp_path, whole):
    shown = call([*command({}, questions, Path("x"), Path("y"))[:4], "show", str(tmp_path / "whole" / "0000.parquet")])
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("=== ") == 3 and "3 of 24 traces" in shown.stdout and "The answer is" in shown.stdout


def two_turns(path: Path) -> Path:
    rows = [question(f"First {n}?", domain="chat", turns=["Then?"]) for n in range(3)]
    write_rows(path, rows, QUESTIONS, ["question_id"])
    return path


def test_a_conversation_asks_each_turn_with_the_replies_before_it(service, tmp_path):
    questions, out = two_turns(tmp_path / "q.parquet"), tmp_path / "0000.parquet"
    settings = settings_for(service.url, samples=1)
    assert call(command(settings, questions, out, tmp_path / "w", *QUICK)).returncode == 0
    rows = read_rows(out, TRACES)
    assert len(rows) == 3 and len(service.bodies) == 6
    for row in rows:
        messages = json.loads(row["messages"])
        assert [each["role"] for each in messages] == ["user", "assistant", "user"]
        assert messages[1]["content"].startswith("The answer is") and messages[2]["content"] == "Then?"
        assert row["response"] != messages[1]["content"] and row["completion_tokens"] == 14
        revision = revision_of(settings, None)
        assert row["trace_id"] == trace_id(row["question_id"], messages[:1], revision, settings["sampling"], 0)
    assert len({body["seed"] for body in service.bodies}) == 6
    first = out.read_bytes()
    again = call(command(settings, questions, tmp_path / "again/0000.parquet", tmp_path / "w2", *QUICK))
    assert again.returncode == 0 and (tmp_path / "again/0000.parquet").read_bytes() == first
    asked = len(service.bodies)
    assert call(command(settings, questions, out, tmp_path / "w", *QUICK)).returncode == 0
    assert len(service.bodies) == asked  # all from the journal


def test_a_conversation_ends_where_a_turn_fails(service, tmp_path):
    service.faults = lambda body, number: ("status", 400, {}, "{}") if len(body["messages"]) == 3 else None
    questions, out = two_turns(tmp_path / "q.parquet"), tmp_path / "0000.parquet"
    assert call(command(settings_for(service.url, samples=1), questions, out, tmp_path / "w", *QUICK)).returncode == 0
    for row in read_rows(out, TRACES):
        assert (row["status"], row["response"]) == ("failed", None)
        assert [each["role"] for each in json.loads(row["messages"])] == ["user", "assistant", "user"]
