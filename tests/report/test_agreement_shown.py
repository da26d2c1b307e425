"""The section on judge and parser says what the agreement file says."""

import copy
import csv
import json

import pytest
from report_page import Page
from report_tree import INJECTION, RECIPE
from thoughtline.common.canonical import canonical_json
from thoughtline.common.files import write_json
from thoughtline.common.rows import VERDICTS, read_rows, write_rows
from thoughtline.report import numbers
from thoughtline.verdicts.agreement import agreement

JUDGE = {"verifier": "judge", "model": "base", "template": "{{ answer }}"}
BOTH = {
    "verifier": "combined",
    "parser": {"verifier": "math_verify"},
    "judge": JUDGE,
    "rule": "undecided",
    "ask": "always",
}


@pytest.fixture
def recipe():
    changed = copy.deepcopy(RECIPE)
    changed["verdicts"]["math"] = BOTH
    return changed


def combine(tree):
    """Verdicts of "sums" as a combined verifier's: the judge takes every third wrong row, and mumbles at every seventh."""
    for path in sorted((tree.root / "verdicts/teacher/sums").glob("*.parquet")):
        rows = read_rows(path, VERDICTS)
        for number, row in enumerate(rows):
            parser = {key: row[key] for key in ("verifier", "status", "reason", "answer")}
            says = "correct" if row["status"] == "correct" or number % 3 == 0 else "incorrect"
            says = "unparsed" if number % 7 == 6 else says
            evidence = {"extracted": row["answer"], "judge": [f"{INJECTION} {says}"]}
            judge = {"verifier": "judge", "status": says, "reason": "", "answer": None, "evidence": evidence}
            both = {"parser": {**parser, "evidence": {}}, "judge": judge}
            row |= {"verifier": "combined", "evidence": canonical_json(both)}
        write_rows(path, rows, VERDICTS, ["trace_id"])
    questions, verdicts = (sorted((tree.root / folder).glob("*.parquet")) for folder in ("questions/sums", "verdicts/teacher/sums"))  # fmt: skip
    found = agreement(questions, verdicts, [])
    write_json(tree.root / "agreement/teacher/sums.json", found)
    return found


def test_table_rules_examples_and_csv(tree, written, recipe):
    tree.count = 16
    tree.curate("sums")
    tree.answer("teacher", "sums", 3, 0.55)
    found = combine(tree)
    page = Page(written(tree, recipe))
    assert page.faults == [] and page.loads == []
    whole = found["all"]
    (row,) = page.table("source", "both say correct")
    cells = whole["table"]
    counts = [
        cells["correct"]["correct"], cells["correct"]["incorrect"], cells["incorrect"]["correct"], cells["incorrect"]["incorrect"],
    ]  # fmt: skip
    assert row[:5] == ["gym", *map(str, counts)] and counts[2] > 0
    assert row[6] == str(sum(words["unparsed"] for words in cells.values())) != "0"
    limits = [numbers.percent(each) for each in whole["agreement"]["interval"]]
    assert row[7] == f"{numbers.percent(whole['agreement']['mean'])} {limits[0]} to {limits[1]}"
    assert row[8].startswith(numbers.two(whole["kappa"]["value"]))
    rules = {line[0]: line[1:] for line in page.table("rule", "rows kept")}
    assert list(rules) == ["parser", "judge", "either", "both", "undecided this recipe"]
    assert rules["judge"][0] == str(whole["kept"]["judge"]["rows"])
    assert page.html.count('<span class="chip correct">judge: correct') == 2
    assert numbers.points(whole["judge_minus_parser"]["mean"]) + " points" in page.text
    with open(tree.root / "report/tables/agreement.csv", newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert (line["answerer"], line["set"], int(line["both"])) == ("teacher", "sums", counts[0])
    assert float(line["kappa_low"]) == whole["kappa"]["interval"][0]


def test_it_says_what_is_missing(tree, written, recipe):
    tree.curate("sums")
    text = Page(written(tree, recipe)).text
    assert "Nothing to compare yet" in text and "agreement/teacher/sums.json" in text
    assert "No verifier of this recipe asks a judge" in Page(written(tree)).text
    recipe["verdicts"]["math"]["ask"] = "needed"
    assert "No verifier of this recipe asks a judge" in Page(written(tree, recipe)).text


def test_its_file_is_deterministic(tree):
    tree.curate("sums")
    tree.answer("teacher", "sums", 3, 0.55)
    combine(tree)
    path = tree.root / "agreement/teacher/sums.json"
    before = path.read_bytes()
    json.loads(before)
    path.unlink()
    questions, verdicts = (sorted((tree.root / folder).glob("*.parquet"), reverse=True) for folder in ("questions/sums", "verdicts/teacher/sums"))  # fmt: skip
    write_json(path, agreement(questions, verdicts, []))
    assert path.read_bytes() == before
