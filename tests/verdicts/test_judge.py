"""The judge, against a small service that speaks the OpenAI protocol."""

import argparse
import contextlib
import json

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


@pytest.mark.parametrize(
    ("reply", "meant"),
    [("Yes", True), ("**No**.", False), ("The answers agree, so yes", None), ("No, wait", None), ("Yes no", None), ("", None)],
)  # fmt: skip
def test_a_reply_that_was_cut_off_counts_only_as_the_bare_word(reply, meant):
    assert reading(reply, r"\byes\b", r"\bno\b", cut_off=True) is meant


@pytest.mark.parametrize(
    ("response", "extraction", "shown", "answer"),
    [
        (r"Say yes! So \boxed{4}.", {}, "4", "4"),
        ("We add. The answer is 4.", {}, "4", "4"),
        ("Four, I think.", {}, "Four, I think.", None),
        ("It is\n\nfour", {"last_line": True}, "four", "four"),
    ],
)
def test_the_template_has_the_final_answer(service, response, extraction, shown, answer):
    server = service(lambda messages: "yes")
    settings = settings_of(server.url, template="{{ reference }} | {{ answer }}", system=None, extraction=extraction)
    with verifier_for(settings) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, response))
    assert server.asked[0]["messages"] == [{"role": "user", "content": f"4 | {shown}"}]
    assert (verdict.answer, verdict.evidence["extracted"]) == (answer, answer)


def test_the_template_has_the_options(service):
    server = service(lambda messages: "yes")
    asked = question("Which?", "honey", choices=["milk", "honey"])
    template = "{% for letter in letters %}{{ letter }} {{ choices[loop.index0] }} {% endfor %}{{ reference }}"
    with verifier_for(settings_of(server.url, template=template, system=None)) as verifier:
        verifier.verify(asked, trace(asked, "B"))
    assert server.asked[0]["messages"][0]["content"] == "A milk B honey honey"


def test_a_cut_off_reply_is_mended_or_unparsed(service):
    server = service(lambda messages: "yes" if len(messages) > 2 else ("Yes, it looks", "length"))
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, "4"))
    assert (verdict.status, verdict.evidence["judge"]) == ("correct", ["Yes, it looks", "yes"])
    server = service(lambda messages: ("Yes, it looks", "length"))
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, "4"))
    assert (verdict.status, verdict.reason) == ("unparsed", "judge_truncated")


def test_no_of_an_unfinished_response_without_an_answer_is_truncated(service):
    server = service(lambda messages: "no")
    with verifier_for(settings_of(server.url)) as verifier:
        assert verifier.verify(ASKED, trace(ASKED, "So we", status="truncated")).reason == "truncated"
        assert verifier.verify(ASKED, trace(ASKED, r"\boxed{5} but", status="truncated")).reason == "judge_no"


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


def test_an_endpoint_by_hand_has_the_recipe_s_defaults(service, tmp_path):
    server = service(lambda messages: "yes")
    questions, traces = write(tmp_path, [ASKED], [trace(ASKED, "4")])
    given = {**settings_of(server.url), "endpoint": {"url": server.url, "model": "j"}}
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = ["verify", "--settings", json.dumps(given), "--questions", str(questions), "--traces", str(traces)]
    args = parser.parse_args([*arguments, "--out", str(tmp_path / "v.parquet")])
    args.run(args)
    (row,) = read_rows(tmp_path / "v.parquet", VERDICTS)
    with verifier_for({**given, "endpoint": {**given["endpoint"], "revision": "unpinned"}}) as verifier:
        assert (row["status"], row["fingerprint"]) == ("correct", verifier.fingerprint)


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
