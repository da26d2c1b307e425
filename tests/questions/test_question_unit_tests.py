"""Unit tests of code problems: the forms in which data sets hold them, and what is refused."""

import json

import pytest
from small_sets import settings_of, source_of
from thoughtline.questions.unit_tests import unit_tests

STREAM = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
FUNCTION = {"fn_name": "double", "inputs": [[1], [2]], "outputs": [2, 4]}


@pytest.mark.parametrize(
    ("value", "tests"),
    [
        (STREAM, STREAM),
        (json.dumps(STREAM), STREAM),
        (FUNCTION, FUNCTION),
        ({**STREAM, "fn_name": None}, STREAM),
        ({**STREAM, "remark": "x"}, STREAM),
        ({"input": ["1"], "output": ["2"]}, {"inputs": ["1"], "outputs": ["2"]}),
        ([{"input": "1", "output": "2"}], {"inputs": ["1"], "outputs": ["2"]}),
        ({"inputs": [["1", "2"]], "outputs": [["3"]]}, {"inputs": ["1\n2"], "outputs": ["3"]}),
        ({"inputs": [], "outputs": []}, {"inputs": [], "outputs": []}),
        (None, None),
        ("", None),
        ({}, None),
        ("[]", None),
    ],
)
def test_forms(value, tests):
    assert unit_tests(value) == tests


@pytest.mark.parametrize(
    "value",
    [
        "not JSON",
        {"inputs": ["1"], "outputs": []},
        {"inputs": ["1"]},
        {"inputs": "1", "outputs": "2"},
        {"inputs": [1], "outputs": [2]},
        {"inputs": [1], "outputs": [2], "fn_name": "f"},
        {"inputs": [[1]], "outputs": [2], "fn_name": 7},
        [{"input": "1"}],
        [1],
        "7",
        '{"inputs": [[1]], "outputs": [' + "9" * 5000 + '], "fn_name": "f"}',
    ],
)
def test_refused(value):
    with pytest.raises(ValueError):
        unit_tests(value)


def test_rows_with_broken_tests_are_dropped_and_counted(jsonl, curated):
    rows = [
        {"problem": "good", "tests": STREAM},
        {"problem": "uneven", "tests": {"inputs": ["1"], "outputs": []}},
        {"problem": "none", "tests": None},
    ]
    pool = curated(
        settings_of(source_of(path=jsonl(rows), fields={"tests": "tests"}, filters=["has_tests"]), domain="code")
    )
    assert {row["problem"]: row["reason"] for row in pool.dropped} == {"uneven": "bad_tests", "none": "has_tests"}


def test_tests_are_written_as_canonical_json(jsonl, written):
    source = source_of(path=jsonl([{"problem": "p", "tests": json.dumps(FUNCTION)}]), fields={"tests": "tests"})
    ((row,),) = written(settings_of(source, domain="code"))
    assert row["tests"] == '{"fn_name":"double","inputs":[[1],[2]],"outputs":[2,4]}'
