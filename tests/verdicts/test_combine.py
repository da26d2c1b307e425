"""A parser and a judge as one verifier: the rules, who is asked, and the shared parsers."""

import argparse
import itertools
import json
import threading
import time
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError
from thoughtline.common.errors import UserError
from thoughtline.common.files import read_json
from thoughtline.common.names import COMBINATION_RULES as RULES
from thoughtline.common.rows import VERDICTS, read_rows
from thoughtline.recipe.schema.judging import Combined, Verifier
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.cli import register
from thoughtline.verdicts.combine import combined, needed, undecided
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.pool import Lending
from thoughtline.verdicts.verdict import Verdict
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace, write

WORDS = {"C": Verdict("correct"), "I": Verdict("incorrect", "judge_no"), "?": Verdict("unparsed", "judge_unclear")}
PARSED = {
    "C": Verdict("correct"),
    "I": Verdict("incorrect", "wrong_answer"),
    "T": Verdict("incorrect", "truncated"),
    "N": Verdict("incorrect", "no_answer"),
    "U": Verdict("incorrect", "unreadable_answer"),
    "L": Verdict("incorrect", "time_limit"),
    "-": Verdict("unverified", "unreadable_reference"),
}
STATUS = {"C": "correct", "I": "incorrect", "?": "unparsed", "-": "unverified"}
# rule -> {parser: the verdicts by the judge's word C, I, ?}
TABLES = {
    "parser": {"C": "CCC", "I": "III", "T": "III", "N": "III", "U": "III", "L": "III", "-": "---"},
    "judge": dict.fromkeys(PARSED, "CI?"),
    "either": {"C": "CCC", "I": "CI?", "T": "CI?", "N": "CI?", "U": "CI?", "L": "CI?", "-": "CI?"},
    "both": {"C": "CI?", "I": "III", "T": "III", "N": "III", "U": "III", "L": "III", "-": "-I?"},
    "undecided": {"C": "CCC", "I": "III", "T": "III", "N": "CI?", "U": "CI?", "L": "CI?", "-": "CI?"},
}


@pytest.mark.parametrize(("rule", "parser"), list(itertools.product(RULES, PARSED)))
def test_truth_table(rule, parser):
    found = "".join(
        key for word in WORDS.values() for key in STATUS if STATUS[key] == combined(rule, PARSED[parser], word).status
    )
    assert found == TABLES[rule][parser]
    assert needed(rule, PARSED[parser]) is (len(set(found)) > 1)


def test_the_reason_is_the_deciding_side_s():
    assert combined("both", PARSED["C"], WORDS["I"]).reason == "judge_no"
    assert combined("both", PARSED["I"], WORDS["I"]).reason == "wrong_answer"
    assert combined("either", PARSED["N"], WORDS["I"]).reason == "no_answer"
    assert combined("either", PARSED["-"], WORDS["I"]).reason == "judge_no"
    assert combined("undecided", PARSED["L"], WORDS["?"]).reason == "judge_unclear"


@pytest.mark.parametrize("rule", RULES)
def test_without_a_reference_every_rule_says_so(rule):
    nothing = Verdict("unverified", "no_reference")
    assert combined(rule, nothing, nothing) == nothing


def test_the_schema_has_these_rules():
    assert get_args(Combined.model_fields["rule"].annotation) == RULES


def test_undecided_is_what_was_not_compared():
    assert {key for key, verdict in PARSED.items() if undecided(verdict)} == set("NUL-")


def settings_of(url, rule, ask="needed", parser=None):
    judge = {"verifier": "judge", "model": "j", "template": "{{ problem }}|{{ reference }}|{{ answer }}"}
    verifier = {"verifier": "combined", "parser": parser or {"verifier": "exact", "extraction": {}}, "judge": judge}
    return {
        "verifier": {**verifier, "rule": rule, "ask": ask},
        "endpoint": {"url": url, "model": "j", "revision": "1"},
    }


ASKED = question("2+2?", "4")
RIGHT, WRONG, NO_ANSWER = (trace(ASKED, text, n) for n, text in enumerate((r"\boxed{4}", r"\boxed{5}", "It is 4")))


@pytest.mark.parametrize(
    ("rule", "ask", "asked"),
    [("parser", "always", 3), ("judge", "needed", 3), ("either", "needed", 2), ("both", "needed", 1), ("undecided", "needed", 1),
     ("undecided", "always", 3)],
)  # fmt: skip
def test_the_judge_is_asked_where_it_counts(service, rule, ask, asked):
    server = service(lambda messages: "yes")
    with verifier_for(settings_of(server.url, rule, ask)) as verifier:
        verdicts = [verifier.verify(ASKED, row) for row in (RIGHT, WRONG, NO_ANSWER)]
    assert len(server.asked) == asked
    assert sum(verdict.evidence["judge"] is not None for verdict in verdicts) == asked
    kept = {"parser": 1, "judge": 3, "either": 3, "both": 1, "undecided": 2}
    assert sum(verdict.status == "correct" for verdict in verdicts) == kept[rule]


def test_evidence_holds_both_sides(service):
    server = service(lambda messages: "Same value: yes")
    with verifier_for(settings_of(server.url, "either")) as verifier:
        verdict = verifier.verify(ASKED, trace(ASKED, r"\boxed{four}"))
    assert (verdict.status, verdict.reason, verdict.answer) == ("correct", "", "four")
    parser, judge = verdict.evidence["parser"], verdict.evidence["judge"]
    assert (parser["verifier"], parser["status"], parser["reason"]) == ("exact", "incorrect", "wrong_answer")
    assert (judge["status"], judge["evidence"]) == ("correct", {"extracted": "four", "judge": ["Same value: yes"]})


def test_nothing_to_judge_asks_nobody(service):
    server = service(lambda messages: "yes")
    with verifier_for(settings_of(server.url, "either", "always")) as verifier:
        assert verifier.verify(question("q"), RIGHT).reason == "no_reference"
        assert verifier.verify(ASKED, trace(ASKED, None, status="failed")).reason == "generation_failed"
        assert verifier.verify(ASKED, trace(ASKED, " ")).reason == "no_answer"
    assert server.asked == []


def test_math_verify_is_a_parser(service):
    server = service(lambda messages: "yes")
    with verifier_for(settings_of(server.url, "undecided", parser={"verifier": "math_verify"})) as verifier:
        half = question("Half?", "1/2")
        assert verifier.verify(half, trace(half, r"\boxed{0.5}")).status == "correct"
        assert verifier.verify(half, trace(half, r"\boxed{0.6}")).status == "incorrect"
        assert server.asked == []
        assert verifier.verify(half, trace(half, "one half")).status == "correct"
    assert len(server.asked) == 1


def test_a_side_that_fails_makes_an_error_that_is_not_remembered(service, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "thoughtline.verdicts.judge.JudgeVerifier.verify", lambda *_: (_ for _ in ()).throw(RuntimeError("no reply"))
    )
    server = service(lambda messages: "yes")
    paths = write(tmp_path, [ASKED], [RIGHT, WRONG])
    settings = complete(settings_of(server.url, "either"))
    assert verify_traces(settings, *paths, tmp_path / "v.parquet", tmp_path / "work")["status"] == {
        "correct": 1,
        "error": 1,
    }
    monkeypatch.undo()
    assert verify_traces(settings, *paths, tmp_path / "v.parquet", tmp_path / "work")["status"] == {"correct": 2}


def test_the_fingerprint_follows_both_sides(service):
    server = service(lambda messages: "yes")

    def fingerprint(**changes):
        with verifier_for(settings_of(server.url, **{"rule": "either", **changes})) as verifier:
            return verifier.fingerprint

    base = fingerprint()
    assert base == fingerprint()
    assert len({base, fingerprint(rule="both"), fingerprint(parser={"verifier": "exact", "ignore_case": False})}) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [({"rule": "parser"}, "never needs the judge"), ({"parser": {"verifier": "code"}}, "math_verify"), ({"ask": "never"}, "ask")],
)  # fmt: skip
def test_settings_that_make_no_sense(change, message):
    verifier = {**settings_of("http://x/v1", "either")["verifier"], **change}
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Verifier).validate_python(verifier)
    with pytest.raises(UserError, match=r"settings\.verifier"):
        complete({"verifier": verifier})


class Slow:
    """A verifier that takes its time; `most` is how many worked at once."""

    running = most = made = closed = 0
    lock = threading.Lock()

    def __init__(self):
        Slow.made += 1

    def work(self):
        with Slow.lock:
            Slow.running += 1
            Slow.most = max(Slow.most, Slow.running)
        time.sleep(0.01)
        with Slow.lock:
            Slow.running -= 1

    def close(self):
        Slow.closed += 1


def test_many_threads_share_few_parsers():
    lending = Lending(2)

    def thread():
        lending.enter()
        for _ in range(3):
            lending.use(Slow, Slow.work)
        lending.leave()

    lending.enter()
    threads = [threading.Thread(target=thread) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (Slow.most, Slow.made, Slow.closed) == (2, 2, 0)
    lending.leave()
    assert Slow.closed == 2
    with pytest.raises(RuntimeError, match="closed"):
        lending.use(Slow, Slow.work)


def test_the_command_with_many_requests_and_one_parser(service, tmp_path):
    """Order and number of workers change no byte, and the sidecar tells what the judge did."""
    server = service(lambda messages: "yes" if "|1" in messages[0]["content"] else "well")
    rows = [question(f"{n}?", str(n)) for n in range(12)]
    traces = [trace(row, rf"\boxed{{{n % 9}}}") for n, row in enumerate(rows)]
    questions, answers = write(tmp_path, rows, traces)
    settings = json.dumps(settings_of(server.url, "either", parser={"verifier": "math_verify"}))
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    for name, concurrency in (("one", "1"), ("many", "8")):
        words = ["verify", "--settings", settings, "--questions", questions, "--traces", answers, "--workers", "1"]
        args = parser.parse_args(
            [*map(str, words), "--out", str(tmp_path / f"{name}.parquet"), "--concurrency", concurrency]
        )
        args.run(args)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "many.parquet").read_bytes()
    found = {row["reason"] or row["status"] for row in read_rows(tmp_path / "one.parquet", VERDICTS)}
    assert found == {"correct", "judge_unclear"}
    details = read_json(tmp_path / "many.parquet.prov.json")["details"]
    assert details["judge"] == {"asked": 3, "repaired": 1, "unparsed": 1}
