"""Traces of one run written anew by another model, one for one."""

import json
from pathlib import Path

import pytest
from dummy_service import call, command, settings_for, write_questions
from thoughtline.common.rows import TRACES, read_rows, write_rows
from thoughtline.traces.reasoning import split_openthoughts

PROMPT = {"system": None, "template": "{{ problem }} | {{ reasoning }} | {{ response }}", "examples": []}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "<|begin_of_thought|>\n\na\n\nb <|end_of_thought|>\n<|begin_of_solution|> c <|end_of_solution|>",
            ("a\n\nb", "c"),
        ),
        ("Sure: <|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b", ("a", "b")),
        ("a<|end_of_thought|> <|begin_of_solution|>b<|end_of_solution|> bye", ("a", "b")),
        ("a<|end_of_thought|> b", ("a", "b")),
        ("<|begin_of_thought|>a <|begin_of_solution|>b<|end_of_solution|>", ("a", "b")),
        ("<|begin_of_solution|>b<|end_of_solution|>", ("", "b")),
        ("<|begin_of_thought|>cut off", ("cut off", "")),
        ("no marks", (None, "no marks")),
    ],
)
def test_openthoughts_marks(text, parts):
    assert split_openthoughts(text) == parts


@pytest.fixture
def written(service, tmp_path) -> Path:
    """Six traces of three questions; one of them was cut off, one is without thinking."""
    questions = write_questions(tmp_path / "q.parquet", 3)
    assert (
        call(command(settings_for(service.url), questions, tmp_path / "first.parquet", tmp_path / "w1")).returncode == 0
    )
    rows = read_rows(tmp_path / "first.parquet", TRACES)
    rows[0] |= {"status": "truncated"}
    rows[1] |= {"reasoning": None}
    write_rows(tmp_path / "first.parquet", rows, TRACES, ["question_id", "sample"])
    service.bodies.clear()
    return tmp_path / "first.parquet"


def rewriting(service, **changes):
    return settings_for(service.url, prompt=PROMPT, rewrites="first", format="openthoughts", **changes)


def run(service, written, *more, **changes):
    out = written.with_name("second.parquet")
    words = command(rewriting(service, **changes), written.with_name("q.parquet"), out, written.with_name("w2"), *more)
    return out, call(words)


def test_each_finished_trace_is_written_anew_and_the_others_fail(service, written):
    text = "<|begin_of_thought|>new<|end_of_thought|><|begin_of_solution|>answer<|end_of_solution|>"
    service.message = lambda body: {"content": text}
    out, done = run(service, written, "--rewrites", str(written))
    assert done.returncode == 0, done.stderr
    before, after = read_rows(written, TRACES), read_rows(out, TRACES)
    assert [(row["question_id"], row["sample"]) for row in after] == [
        (row["question_id"], row["sample"]) for row in before
    ]
    assert [row["status"] for row in after] == ["failed"] + ["finished"] * 5
    assert after[0]["error"] == "the trace to write anew was truncated" and after[0]["response"] is None
    assert {(row["reasoning"], row["response"]) for row in after[1:]} == {("new", "answer")}
    shown = {body["messages"][-1]["content"].partition(" | ")[2] for body in service.bodies}
    assert shown == {f"{row['reasoning'] or ''} | {row['response']}" for row in before[1:]}
    assert len({row["trace_id"] for row in after}) == 6
    sidecar = json.loads(Path(f"{out}.prov.json").read_text())
    assert sidecar["counts"] == {
        "in": 6, "out": 6, "dropped": {}, "questions": 3, "status": {"failed": 1, "finished": 5},
    }  # fmt: skip
    assert str(written) in [each["path"] for each in sidecar["inputs"]]


def test_only_changed_traces_are_asked_for_again(service, written):
    assert run(service, written, "--rewrites", str(written))[1].returncode == 0
    service.bodies.clear()
    rows = read_rows(written, TRACES)
    rows[-1] |= {"response": "another one"}
    write_rows(written, rows, TRACES, ["question_id", "sample"])
    out, done = run(service, written, "--rewrites", str(written))
    assert done.returncode == 0 and len(read_rows(out, TRACES)) == 6
    assert [body["messages"][-1]["content"].endswith("another one") for body in service.bodies] == [True]


def test_traces_of_other_questions_are_refused(service, written, tmp_path):
    write_rows(written, read_rows(written, TRACES)[:-1], TRACES, ["question_id", "sample"])
    _, done = run(service, written, "--rewrites", str(written))
    assert done.returncode == 2
    assert "has 5 traces, 5 of the 6 that are to be written anew" in done.stderr


def test_setting_and_option_go_together(service, written):
    _, done = run(service, written)
    assert done.returncode == 2 and "--rewrites: does not fit the setting rewrites = 'first'" in done.stderr
