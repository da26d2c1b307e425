"""`thoughtline scores`: from row files to score files and tables."""

import argparse

import pyarrow.parquet as pq
import pytest
from thoughtline.common.command import guarded
from thoughtline.common.environments import ROOT
from thoughtline.common.rows import QUESTIONS, TRACES, VERDICTS, question_id, read_rows, write_rows
from thoughtline.recipe import settings as recipe_settings
from thoughtline.recipe.load import load
from thoughtline.scores.cli import register
from thoughtline.scores.files import read_measures


def scores(*arguments):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(each) for each in arguments])
    return guarded(args.run, args)


def test_figures_of_a_small_benchmark(tmp_path, benchmark_files, capsys):
    files = benchmark_files(tmp_path, ["CCC", "CWW", "WTW", "CUC"])
    assert scores(*files.arguments) == 0
    found = files.read()
    assert found["accuracy"]["mean"] == pytest.approx((1 + 1 / 3 + 0 + 2 / 3) / 4)
    assert found["runs"] == pytest.approx([3 / 4, 1 / 4, 2 / 4])
    assert found["pass_at_k"]["1"]["mean"] == pytest.approx(0.5)
    assert found["pass_at_k"]["2"]["mean"] == pytest.approx((1 + 2 / 3 + 0 + 1) / 4)
    assert set(found["pass_at_k"]) == {"1", "2"}
    # Answers: 1 1 1 | 2 0 0 | 0 - 0 | 4 - 4.
    assert found["majority_vote"]["mean"] == pytest.approx(2 / 4)
    assert found["counts"] == {"traces": 12, "correct": 6, "incorrect": 5, "unparsed": 1, "error": 0}
    assert found["reasons"] == {"wrong_answer": 4, "truncated": 1, "judge_unreadable": 1}
    assert found["truncated_share"] == pytest.approx(1 / 12)
    assert found["completion_tokens"] == {"mean": 20, "median": 20, "max": 30}
    assert found["verifiers"] == {"exact": ["f00d"]}
    assert found["settings"]["sampling"] == {"temperature": 0.7}
    assert "unreadable" in found["flags"][0]
    assert "b (n=4, k=3)" in capsys.readouterr().out
    rows = pq.read_table(files.out.with_suffix(".questions.parquet")).to_pylist()
    assert [row["question_id"] for row in rows] == sorted(row["question_id"] for row in rows)
    assert sorted((row["correct"], row["majority_answer"]) for row in rows) == [(0, "0"), (1, "0"), (2, "4"), (3, "1")]
    sidecar = files.out.with_name("b.json.prov.json")
    assert '"in": 12' in sidecar.read_text() and files.out.with_name("b.questions.parquet.prov.json").exists()


def test_verifier_errors_are_left_out_counted_and_flagged(tmp_path, benchmark_files):
    files = benchmark_files(tmp_path, ["CE", "WW", "EE"])
    assert scores(*files.arguments) == 0
    found = files.read()
    assert found["accuracy"]["mean"] == 0.5
    assert found["counts"]["error"] == 3 and found["questions"] == 3
    assert [flag.split(" could")[0].split(" have")[0] for flag in found["flags"]] == ["3 of 6 runs", "1 of 3 questions"]
    assert set(found["pass_at_k"]) == {"1"} and found["majority_vote"] is None


def test_programs_are_not_voted_on(tmp_path, benchmark_files):
    files = benchmark_files(tmp_path, ["CCC"], domain="code")
    assert scores(*files.arguments) == 0
    assert files.read()["majority_vote"] is None


def test_no_vote_without_parsed_answers(tmp_path, benchmark_files):
    files = benchmark_files(tmp_path, ["CCC"], answers=[[None] * 3])
    assert scores(*files.arguments) == 0
    assert files.read()["majority_vote"] is None


def test_the_same_inputs_give_the_same_bytes(tmp_path, benchmark_files):
    files = benchmark_files(tmp_path, ["CWC", "WWC"])
    contents = []
    for _ in range(2):
        assert scores(*files.arguments) == 0
        contents.append([files.out.read_bytes(), files.out.with_suffix(".questions.parquet").read_bytes()])
    assert contents[0] == contents[1]


def without_last(path, schema, key):
    rows = read_rows(path, schema)
    write_rows(path, rows[:-1], schema, [key])


def test_measures_are_summed_beside_accuracy(tmp_path, benchmark_files, capsys):
    measures = [
        [{"instruction_strict": [2, 3], "rating": [7, 1]}, {"instruction_strict": [3, 3], "rating": [8, 1]}],
        [{"instruction_strict": [0, 1]}, {"instruction_strict": [1, 1], "rating": [3, 1]}],
    ]
    files = benchmark_files(tmp_path, ["WC", "WE"], measures=measures)
    assert scores(*files.arguments) == 0
    found = files.read()["measures"]
    strict, rating = found["instruction_strict"], found["rating"]
    assert (strict["mean"], strict["weight"], strict["questions"]) == (
        pytest.approx(5 / 7),
        7,
        2,
    )  # the error is left out
    assert (rating["mean"], rating["standard_error"], rating["questions"], rating["scale"]) == (7.5, None, 1, [1, 10])
    assert read_measures(files.out)[question_id("math", "What is 0 + 1?")] == {
        "instruction_strict": (5, 6),
        "rating": (15, 2),
    }
    assert scores("show", files.out) == 0
    text = capsys.readouterr().out
    assert "b instruction_strict" in text and "71.4 [" in text and "7.50 [" in text


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: without_last(f.verdicts, VERDICTS, "trace_id"),
            ["lacks a verdict for 1 rows", "verdicts/m/b", "traces/m/b"],
        ),
        (
            lambda f: without_last(f.traces, TRACES, "trace_id"),
            ["lacks a trace for 1 rows", "verdicts/m/b", "traces/m/b"],
        ),
        (lambda f: without_last(f.questions, QUESTIONS, "question_id"), ["1 questions are in no file of --questions"]),
        (lambda f: f.verdicts.write_bytes(b"PAR1"), ["cannot be read as Parquet"]),
        (lambda f: f.arguments.extend(["--verdicts", f.verdicts, f.verdicts]), ["2 files for 1 trace files"]),
    ],
)
def test_rows_that_do_not_match_are_refused(tmp_path, benchmark_files, capsys, damage, words):
    files = benchmark_files(tmp_path, ["CW", "WC"])
    damage(files)
    assert scores(*files.arguments) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words), message
    assert not files.out.exists()


def test_questions_without_traces_are_refused(tmp_path, benchmark_files, capsys):
    files = benchmark_files(tmp_path, ["CW", "WC"])
    other = benchmark_files(tmp_path / "more", ["CW", "WC", "WW"])
    files.arguments[files.arguments.index(files.questions)] = other.questions
    assert scores(*files.arguments) == 2
    assert "1 questions of --questions have no trace" in capsys.readouterr().err


def test_missing_runs_and_missing_verifiers_are_refused(tmp_path, benchmark_files, capsys):
    files = benchmark_files(tmp_path, ["CWW", "WW"])
    assert scores(*files.arguments) == 2
    assert "has the runs [0, 1]; needs 0 to 2" in capsys.readouterr().err
    assert scores(*benchmark_files(tmp_path / "n", ["NN"]).arguments) == 2
    assert "give the benchmark a verifier" in capsys.readouterr().err
    assert scores(*benchmark_files(tmp_path / "e", ["EE"]).arguments) == 2
    assert "the verifier failed on every run" in capsys.readouterr().err


def test_ratings_are_neither_right_nor_wrong(tmp_path, benchmark_files, capsys):
    measures = [[{"rating": [13, 2]}], [{"rating": [6, 1]}], [{}]]
    files = benchmark_files(tmp_path, ["R", "U", "U"], measures=measures, verifier="rating")
    assert scores(*files.arguments) == 0
    found = files.read()
    assert (found["accuracy"], found["runs"], found["pass_at_k"], found["majority_vote"]) == (None, [None], {}, None)
    assert found["counts"]["rated"] == 1 and found["reasons"] == {"judge_unreadable": 2}
    assert (
        found["measures"]["rating"]["mean"] == pytest.approx(19 / 3) and found["measures"]["rating"]["questions"] == 2
    )
    assert found["flags"] == ["2 of 3 runs got an unreadable rating, which is left out of the means"]
    capsys.readouterr()
    assert scores("show", files.out) == 0
    text = capsys.readouterr().out
    assert "6.33 [" in text and "from 1 to 10" in text
    assert scores("compare", files.out, files.out) == 2


def test_compare_and_show(tmp_path, benchmark_files, capsys):
    base = benchmark_files(tmp_path, ["WW", "WC", "CC", "CW"], model="base")
    one = benchmark_files(tmp_path, ["CW", "CC", "CC", "CW"], model="student-seed1")
    two = benchmark_files(tmp_path, ["CE", "CC", "CC", "CW"], model="student-seed2")
    for files in (base, one, two):
        assert scores(*files.arguments) == 0
    capsys.readouterr()
    assert scores("compare", base.out, one.out, "--more-b", two.out) == 0
    text = capsys.readouterr().out
    assert "b, student-seed1, student-seed2 - base: +31.2 points" in text
    assert "better on 2, equal on 2, worse on 0" in text
    assert "seeds of student-seed1, student-seed2: 75.0, 87.5" in text
    assert scores("show", base.out, one.out, two.out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "model" and lines[2].startswith("base ") and "50.0 [" in lines[2]
    assert len({len(line) for line in lines[:5]}) == 1
    assert lines[-1].startswith("  student-seed2 on b: 1 of 8 runs could not be judged")


def test_compare_refuses_other_files(tmp_path, benchmark_files, capsys):
    files = benchmark_files(tmp_path, ["CW"])
    assert scores(*files.arguments) == 0
    (tmp_path / "list.json").write_text("[]")
    assert scores("show", tmp_path / "list.json") == 2
    assert scores("show", tmp_path / "none.json") == 2
    assert scores("compare", files.out, tmp_path / "none.json") == 2
    assert capsys.readouterr().err.count("give a file that `thoughtline scores score` wrote") == 3


def test_the_settings_of_a_recipe_fit(tmp_path, benchmark_files):
    recipe = load(ROOT / "recipes/demo.yaml")
    settings = recipe_settings.scores(recipe, next(iter(recipe.benchmarks)))
    files = benchmark_files(tmp_path, ["C" * settings["samples"]])
    place = files.arguments.index("--settings") + 1
    assert scores(*files.arguments[:place], recipe_settings.text(settings), *files.arguments[place + 1 :]) == 0
    assert files.read()["settings"] == settings
