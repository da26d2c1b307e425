"""Agreement of a judge and a parser: the figures by hand, the command on one file and on two, what it refuses."""

import argparse
import json

import pyarrow.parquet as pq
import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.files import read_json
from thoughtline.common.rows import QUESTIONS, VERDICTS, write_rows
from thoughtline.verdicts.agreement import Pair, kappa, kappa_with_interval, summary
from thoughtline.verdicts.cli import register
from thoughtline.verdicts.verdict import Verdict
from verdict_rows import question, trace, write

RIGHT, WRONG, LOST = Verdict("correct"), Verdict("incorrect", "wrong_answer"), Verdict("incorrect", "no_answer")
YES, NO = (Verdict(status, evidence={"judge": ["x"]}) for status in ("correct", "incorrect"))
HM = Verdict("unparsed", "judge_unclear", evidence={"judge": ["x", "y"]})


def pairs(*cells):
    """(parser, judge, questions, samples of each) -> pairs."""
    found = []
    for parser, judge, questions, samples in cells:
        for _ in range(questions):
            name = f"q{len(found)}"
            found += [Pair(f"{name}-{n}", name, "s", parser, judge) for n in range(samples)]
    return found


def test_kappa_by_hand():
    assert kappa((20, 5, 10, 15)) == pytest.approx(0.4)  # p_o = 0.7, p_e = 0.5
    assert kappa((7, 0, 0, 0)) is None and kappa((0, 0, 0, 0)) is None
    assert kappa((0, 5, 5, 0)) == -1


def test_kappa_s_error_is_that_of_theory():
    """50 single rows: the asymptotic error of Fleiss, Cohen and Everitt (1969) is 0.1270 for this table."""
    rows = [(1, 0, 0, 0)] * 20 + [(0, 1, 0, 0)] * 5 + [(0, 0, 1, 0)] * 10 + [(0, 0, 0, 1)] * 15
    found = kappa_with_interval(rows)
    assert found["value"] == pytest.approx(0.4)
    assert found["standard_error"] == pytest.approx(0.1270, rel=0.03)
    low, high = found["interval"]
    assert low == pytest.approx(0.4 - 2.0096 * found["standard_error"], abs=1e-3) and low < 0.4 < high


def test_samples_of_a_question_are_no_further_questions():
    once = summary(pairs((RIGHT, YES, 8, 1), (WRONG, YES, 3, 1), (WRONG, NO, 5, 1)))
    often = summary(pairs((RIGHT, YES, 8, 4), (WRONG, YES, 3, 4), (WRONG, NO, 5, 4)))
    for key in ("agreement", "kappa", "judge_minus_parser"):
        assert often[key]["standard_error"] == pytest.approx(once[key]["standard_error"])
        assert often[key]["interval"] == pytest.approx(once[key]["interval"])
    assert (once["agreement"]["rows"], often["agreement"]["rows"]) == (16, 64)


def test_summary_counts():
    nobody = (Verdict("unverified", "no_reference"), Verdict("unverified", "no_reference"))
    cells = [(RIGHT, YES, 6, 1), (RIGHT, NO, 1, 1), (WRONG, YES, 3, 1), (WRONG, NO, 4, 1), (LOST, YES, 2, 1)]
    found = summary(pairs(*cells, (WRONG, HM, 1, 1), (*nobody, 3, 1)))
    assert (found["rows"], found["judged"], found["repaired"]) == (20, 17, 1)
    assert found["table"] == {
        "correct": {"correct": 6, "incorrect": 1, "unparsed": 0},
        "incorrect": {"correct": 3, "incorrect": 4, "unparsed": 1},
        "undecided": {"correct": 2, "incorrect": 0, "unparsed": 0},
    }
    assert found["undecided"] == {"no_answer": 2}
    assert (found["agreement"]["rows"], found["agreement"]["mean"]) == (14, pytest.approx(10 / 14))
    kept = {rule: (each["rows"], each["asks"]) for rule, each in found["kept"].items()}
    assert kept == {"parser": (7, 0), "judge": (11, 17), "either": (12, 10), "both": (6, 7), "undecided": (9, 2)}
    assert found["judge_minus_parser"]["mean"] == pytest.approx((11 - 7) / 20)


def test_no_rows_and_one_sided_rows():
    assert summary([])["agreement"] is None and summary([])["kept"] == {}
    found = summary(pairs((RIGHT, YES, 3, 1)))
    assert found["agreement"]["mean"] == 1 and found["kappa"] is None


def run(*words):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args([str(word) for word in words])
    args.run(args)


@pytest.fixture
def judged(service, tmp_path):
    """Verdicts of the two sides and of both together on the same traces: paths by name."""

    def says(messages):
        content = messages[0]["content"]
        return "yes" if "four" in content or "It is 4" in content else "maybe" if "odd" in content else "no"

    server = service(says)
    asked = [question(f"{n}?", "4") | {"source": "left" if n % 2 else "right"} for n in range(6)]
    texts = [r"\boxed{4}", r"\boxed{four}", "It is 4", r"\boxed{7}", r"\boxed{odd}", r"\boxed{four} "]
    traces = [trace(row, text) for row, text in zip(asked, texts, strict=True)]
    traces.append(trace(asked[0], None, sample=1, status="failed"))
    questions, answers = write(tmp_path, asked, traces)
    judge = {"verifier": "judge", "model": "j", "template": "{{ answer }}"}
    parser = {"verifier": "math_verify"}
    both = {"verifier": "combined", "parser": parser, "judge": judge, "rule": "undecided"}
    paths = {"questions": questions}
    for name, verifier in {"judge": judge, "parser": parser, "both": {**both, "ask": "always"}, "needed": both}.items():
        paths[name] = tmp_path / f"{name}.parquet"
        settings = {"verifier": verifier, "endpoint": {"url": server.url, "model": "j", "revision": "1"}}
        run("verify", "--settings", json.dumps(settings), "--questions", questions, "--traces", answers, "--workers", 1,
            "--out", paths[name])  # fmt: skip
    return paths


def test_one_file_and_two_say_the_same(judged, tmp_path, capsys):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    run("agreement", "--questions", judged["questions"], "--verdicts", judged["both"], "--out", one)
    shown = capsys.readouterr().out
    run("agreement", "--questions", judged["questions"], "--verdicts", judged["parser"],
        "--judge-verdicts", judged["judge"], "--out", two)  # fmt: skip
    found = read_json(one)
    assert {**found, "fingerprints": 0} == {**read_json(two), "fingerprints": 0}
    assert found["parser"] == "math_verify"
    assert found["all"]["table"]["incorrect"] == {"correct": 2, "incorrect": 1, "unparsed": 1}
    assert found["all"]["table"]["correct"]["incorrect"] == 1  # the judge does not take the digit
    assert found["all"]["undecided"] == {"no_answer": 1}
    assert found["counts"] == {
        "in": 7, "out": 4, "dropped": {"generation_failed": 1, "judge_unparsed": 1, "parser_undecided": 1},
    }  # fmt: skip
    assert sum(source["rows"] for source in found["sources"].values()) == 7 and set(found["sources"]) == {
        "left",
        "right",
    }
    kinds = [(each["source"], each["parser"], each["judge"], each["answer"]) for each in found["examples"]]
    assert kinds == [
        ("right", "correct", "incorrect", "4"),
        ("left", "incorrect", "correct", "four"),
        ("left", "incorrect", "correct", "four"),
        ("right", "incorrect", "unparsed", "odd"),
        ("right", "undecided", "correct", None),
    ]
    assert found["examples"][1]["replies"] == ["yes"] and found["examples"][3]["replies"] == ["maybe", "maybe"]
    assert "kappa" in shown and "undecided 2 (1 asked)" in shown
    record = read_json(f"{one}.prov.json")
    assert record["counts"] == found["counts"] and len(record["inputs"]) == 2


def test_questions_and_their_sources_may_be_left_out(judged, tmp_path):
    def figures(name, *words):
        run("agreement", *words, "--verdicts", judged["both"], "--out", tmp_path / name)
        return read_json(tmp_path / name)

    table = pq.read_table(judged["questions"], columns=["question_id", "problem", "answer"])
    pq.write_table(table, tmp_path / "bare.parquet")
    whole = figures("whole.json", "--questions", judged["questions"])
    bare = figures("bare.json", "--questions", tmp_path / "bare.parquet")
    none = figures("none.json")
    assert bare["all"] == none["all"] == whole["all"] and bare["counts"] == none["counts"] == whole["counts"]
    assert bare["sources"] == none["sources"] == {"all": whole["all"]}
    assert {each["reference"] for each in bare["examples"]} == {"4"}
    without = [{key: each[key] for key in each if key not in ("problem", "reference")} for each in bare["examples"]]
    assert none["examples"] == without and without[0]["source"] == "all"


def test_what_it_refuses(judged, tmp_path):
    def attempt(verdicts, *words, questions=judged["questions"]):
        run("agreement", "--questions", questions, "--verdicts", verdicts, *words, "--out", tmp_path / "a.json")

    with pytest.raises(UserError, match=r"was not asked about \d of 7 traces.*ask: always"):
        attempt(judged["needed"])
    with pytest.raises(UserError, match="one side only"):
        attempt(judged["parser"])
    with pytest.raises(UserError, match="holds verdicts of judge, not of a parser"):
        attempt(judged["judge"], "--judge-verdicts", judged["parser"])
    with pytest.raises(UserError, match="occurs twice"):
        attempt(judged["both"], "--verdicts", judged["both"], judged["both"])
    write_rows(tmp_path / "none.parquet", [], VERDICTS, ["trace_id"])
    with pytest.raises(UserError, match="the other side does not"):
        attempt(judged["parser"], "--judge-verdicts", tmp_path / "none.parquet")
    write_rows(tmp_path / "no.parquet", [], QUESTIONS, ["question_id"])
    with pytest.raises(UserError, match="no file of --questions"):
        attempt(judged["both"], questions=tmp_path / "no.parquet")
    with pytest.raises(UserError, match="is not there"):
        attempt(judged["both"], questions=tmp_path / "absent.parquet")
    assert not (tmp_path / "a.json").exists()
