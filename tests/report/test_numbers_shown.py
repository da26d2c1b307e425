"""The numbers on the page and in the tables are those of the files."""

import csv
import json
import math

import pytest
from report_page import Page
from report_tree import RECIPE
from thoughtline.common.files import read_json, write_json
from thoughtline.common.rows import TRACES, VERDICTS, read_rows, write_rows
from thoughtline.datasets.tables import DROPPED
from thoughtline.report import numbers
from thoughtline.report.scoreboard import conclusion, macro_interval
from thoughtline.scores.differences import difference
from thoughtline.scores.files import read_shares


def rows_of(run, name: str) -> list[dict[str, str]]:
    with open(run.root / "report" / "tables" / name, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_score_table_equals_the_score_files(page, run):
    table = {
        row[0]: row[1:] for row in page.table("model", "macro average unweighted", "sums-heldout 10 questions, k = 2")
    }
    assert list(table) == [
        "base", "verified mean of 2 seeds", "verified-seed1", "verified-seed2", "unverified mean of 2 seeds", "unverified-seed1", "unverified-seed2",
    ]  # fmt: skip
    for model in ("base", "verified-seed2"):
        for column, benchmark in enumerate(RECIPE["benchmarks"], start=1):
            accuracy = read_json(run.root / "scores" / model / f"{benchmark}.json")["accuracy"]
            low, high = accuracy["interval"]
            assert table[model][column] == f"{100 * accuracy['mean']:.1f} {100 * low:.1f} to {100 * high:.1f}"


def test_score_csv_holds_every_cell_unrounded(run):
    rows = {(row["model"], row["benchmark"]): row for row in rows_of(run, "scores.csv")}
    assert len(rows) == 7 * 3
    for (model, benchmark), row in rows.items():
        if row["seeds"] == "1" and benchmark != "macro average":
            score = read_json(run.root / "scores" / model / f"{benchmark}.json")
            assert float(row["mean"]) == score["accuracy"]["mean"]
            assert [float(row["low"]), float(row["high"])] == score["accuracy"]["interval"]
    macro, parts = rows["base", "macro average"], [rows["base", name] for name in RECIPE["benchmarks"]]
    assert float(macro["mean"]) == pytest.approx(sum(float(part["mean"]) for part in parts) / 2)


def test_measures_of_seeds_are_summed_over_their_runs(page, run):
    rows = {(row["model"], row["benchmark"]): row for row in rows_of(run, "measures.csv")}
    assert len(rows) == 7 * 2
    for benchmark in RECIPE["benchmarks"]:
        seeds = [rows[f"verified-seed{seed}", benchmark] for seed in (1, 2)]
        assert float(rows["verified", benchmark]["mean"]) == pytest.approx(sum(float(row["mean"]) for row in seeds) / 2)
        score = read_json(run.root / "scores" / "base" / f"{benchmark}.json")["measures"]["steps_right"]
        assert float(rows["base", benchmark]["mean"]) == score["mean"]
    shown = page.table("model", "benchmark", "measure")
    assert shown[0][:4] == [
        "base",
        "sums-heldout",
        "steps right",
        numbers.percent(float(rows["base", "sums-heldout"]["mean"])),
    ]


def test_group_is_the_mean_of_its_seeds(run):
    rows = {(row["model"], row["benchmark"]): row for row in rows_of(run, "scores.csv")}
    for benchmark in RECIPE["benchmarks"]:
        seeds = [float(rows[f"verified-seed{seed}", benchmark]["mean"]) for seed in (1, 2)]
        assert float(rows["verified", benchmark]["mean"]) == pytest.approx(sum(seeds) / 2)


def test_differences_are_those_of_the_scores_package(page, run):
    rows = {(row["a"], row["benchmark"]): row for row in rows_of(run, "differences.csv")}
    sides = [
        [run.root / "scores" / f"{name}-seed{seed}" / "sums-heldout.json" for seed in (1, 2)]
        for name in ("unverified", "verified")
    ]
    expected = difference(*([read_shares(path) for path in side] for side in sides))
    row = rows["unverified", "sums-heldout"]
    assert float(row["mean"]) == expected["mean"]
    assert [float(row["low"]), float(row["high"])] == expected["interval"]
    shown = page.table("benchmark", "difference")
    assert shown[0][:3] == [
        "sums-heldout",
        numbers.points(float(rows["base", "sums-heldout"]["mean"])),
        f"{numbers.points(float(rows['base', 'sums-heldout']['low']))} to {numbers.points(float(rows['base', 'sums-heldout']['high']))}",
    ]
    assert shown[2][0] == "macro average"


def test_headline_says_what_the_table_says(page, run):
    for row in rows_of(run, "differences.csv"):
        if row["benchmark"] == "macro average":
            low, high = (numbers.points(float(row[key])) for key in ("low", "high"))
            assert (
                f"{row['b']} minus {row['a']}: {numbers.points(float(row['mean']))} points, 95 % interval [{low}, {high}]"
                in page.text
            )


def test_seeds_never_narrow_an_interval(run):
    for row in rows_of(run, "differences.csv"):
        assert float(row["low_with_seeds"]) <= float(row["low"]) <= float(row["mean"])
        assert float(row["mean"]) <= float(row["high"]) <= float(row["high_with_seeds"])


def test_words_follow_the_interval():
    facts = {"wording": "higher", "wording_with_seeds": "not distinguishable"}
    assert conclusion(facts).startswith("higher for these trained models, but not distinguishable")
    assert conclusion({"wording": "lower", "wording_with_seeds": None}) == "lower"
    assert conclusion({"wording": "not distinguishable", "wording_with_seeds": "higher"}) == "not distinguishable"


def test_macro_interval_combines_distances_in_squares():
    parts = [{"mean": 0.5, "low": 0.2, "high": 0.6}, {"mean": 0.1, "low": 0.1, "high": 0.5}]
    low, high = macro_interval(parts)
    assert low == pytest.approx(0.3 - 0.15)
    assert high == pytest.approx(0.3 + math.hypot(0.1, 0.4) / 2)


def test_funnel_equals_the_files(run):
    rows = {
        (row["verb"], row["set"], row["by"], row["kind"], row["what"]): int(row["rows"])
        for row in rows_of(run, "funnel.csv")
    }
    assert rows["curate", "sums", "", "in", "rows read"] == 17
    assert rows["curate", "sums", "", "out", "questions"] == 10
    traces = [
        row for path in sorted((run.root / "traces/teacher/sums").glob("*.parquet")) for row in read_rows(path, TRACES)
    ]
    verdicts = [
        row
        for path in sorted((run.root / "verdicts/teacher/sums").glob("*.parquet"))
        for row in read_rows(path, VERDICTS)
    ]
    assert rows["generate", "sums", "teacher", "out", "traces"] == len(traces) == 30
    finished = sum(row["status"] == "finished" for row in traces)
    assert rows["generate", "sums", "teacher", "status", "finished"] == finished
    correct = sum(row["status"] == "correct" for row in verdicts)
    assert rows["verify", "sums", "teacher", "status", "correct"] == correct
    dropped = read_rows(run.root / "datasets/kept/dropped.parquet", DROPPED)
    for name in ("sums", "school"):
        ids = {trace["trace_id"] for trace, _ in run.answers["teacher", name]}
        here = sum(row["trace_id"] in ids and row["reason"] == "not_correct" for row in dropped)
        assert rows["assemble", name, "kept", "dropped", "not_correct"] == here


def test_yields_equal_the_verdicts(page, run):
    rows = {row["domain"]: row for row in rows_of(run, "yields.csv")}
    pairs = run.answers["teacher", "school"]
    correct = [trace["question_id"] for trace, verdict in pairs if verdict["status"] == "correct"]
    assert float(rows["science"]["correct_share"]) == len(correct) / 30
    assert float(rows["science"]["with_correct_share"]) == len(set(correct)) / 10
    shown = page.table("run", "domain")[1]
    assert shown[4] == f"{100 * len(correct) / 30:.1f} % {len(correct)}"


def test_lengths_and_training(page, run):
    tokens = sorted(trace["completion_tokens"] for trace, _ in run.answers["teacher", "sums"])
    row = page.table("domain", "traces")[0]
    assert row[:2] == ["math", "30"]
    assert row[4] == str(tokens[-1])
    trained = page.table("model", "rows cut / dropped for length")
    assert [row[0] for row in trained] == ["verified-seed1", "verified-seed2", "unverified-seed1", "unverified-seed2"]
    last = json.loads((run.root / "models/verified-seed1/training.jsonl").read_text().splitlines()[-1])
    assert trained[0][1:3] == [f"{run.rows['kept']} 2 / 0", "14"]
    assert trained[0][4:] == [f"{last['loss']:.3f}", "8,960"]
    assert ["dataset", "kept", "raw"] in page.table("what differs")


def test_times_come_from_benchmark_files_and_sidecars(page):
    table = {row[0]: row[1:] for row in page.table("stage", "jobs")}
    assert table["traces"] == ["13", "57 min 12 s", "7 min 50 s", "2.1 GB"]  # 264.5 s measured, 12 x 264 s told
    assert table["questions"] == ["4", "6.4 s", "–", "–"]  # 0.4 s measured, 3 x 2 s told
    assert table["models"] == ["5", "14 min 35 s", "–", "–"]
    assert "of the jobs that Snakemake measured (1 of " in page.text
    assert "2025-02-03 04:05 UTC to 2025-02-03 04:09 UTC" in page.text


def test_examples_are_the_lowest_ids(page, run):
    for status in ("correct", "incorrect"):
        pairs = run.answers["teacher", "sums"]
        ids = sorted(trace["trace_id"] for trace, verdict in pairs if verdict["status"] == status)
        assert all(each in page.text for each in ids[:2])
        assert not any(each in page.text for each in ids[2:])


def test_provenance_lists_every_artifact(page, run):
    tables = [rows[1:] for rows in page.tables if rows[0] == ["artifact", "size", "sha256"]]
    shown = {row[0]: row[2] for rows in tables for row in rows}
    assert len(tables) == 2 and all(row[0].endswith("training.json") for row in tables[0])
    sidecars = [path for path in run.root.rglob("*.prov.json") if "report" not in path.parts]
    assert len(shown) == len(sidecars)
    for path in sidecars:
        facts = read_json(path)["artifact"]
        assert shown[path.relative_to(run.root).as_posix().removesuffix(".prov.json")] == facts["sha256"]


@pytest.mark.parametrize(
    ("lose", "message"),
    [
        ("trace", "generate teacher on sums: 12 in, 11 out, 0 dropped: 1 unaccounted for"),
        ("verdict", "verify teacher on sums: 12 in, 11 out, 0 dropped: 1 unaccounted for"),
        ("row", "assemble kept on sums: 12 in"),
        ("training", "train verified-seed1: 3 rows in, but kept has 8"),
        ("sidecar", "questions/sums/0000.parquet: its sidecar counts 12 in, 4 out, 7 dropped: 1 unaccounted for"),
    ],
)
def test_a_lost_row_raises_the_banner(tree, written, lose, message):
    for name in RECIPE["questions"]:
        tree.curate(name)
        tree.answer("teacher", name, 3, 0.9)
    tree.assemble("kept", True)
    assert "do not add up" not in Page(written(tree)).text
    if lose in ("trace", "verdict"):
        noun, schema = ("traces", TRACES) if lose == "trace" else ("verdicts", VERDICTS)
        path = next(
            path
            for path in sorted((tree.root / noun / "teacher" / "sums").glob("*.parquet"))
            if read_rows(path, schema)
        )
        write_rows(path, read_rows(path, schema)[1:], schema, ["trace_id"])
    elif lose == "row":
        path = tree.root / "datasets" / "kept" / "dropped.parquet"
        ids = {trace["trace_id"] for trace, _ in tree.answers["teacher", "sums"]}
        rows = read_rows(path, DROPPED)
        gone = next(row for row in rows if row["trace_id"] in ids)
        write_rows(path, [row for row in rows if row is not gone], DROPPED, ["trace_id"])
    elif lose == "training":
        tree.model("verified-seed1", "base", 3)
    else:
        path = tree.root / "questions" / "sums" / "0000.parquet.prov.json"
        facts = read_json(path)
        write_json(path, {**facts, "counts": {**facts["counts"], "in": 12}})
    page = Page(written(tree))
    assert "Rows do not add up" in page.text
    assert message in page.text


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.points(-0.0004), "0.0"),
        (numbers.points(0.031), "+3.1"),
        (numbers.points(-0.04), "−4.0"),
        (numbers.percent(None), "–"),
        (numbers.percent(0.41666), "41.7"),
        (numbers.seconds(5025), "1 h 23 min"),
        (numbers.seconds(59.96), "60.0 s"),
        (numbers.megabytes(float("nan")), "–"),
        (numbers.size(1536), "1.5 KiB"),
        (numbers.count(1234567), "1,234,567"),
    ],
)
def test_numbers_as_people_read_them(shown, expected):
    assert shown == expected
