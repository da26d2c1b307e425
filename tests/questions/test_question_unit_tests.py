"""Unit tests of code problems on their way into a question set (their forms: tests/verdicts/test_formats.py)."""

import json

import pytest
from small_sets import settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.questions.show import shown

STREAM = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
FUNCTION = {"fn_name": "double", "inputs": [[1], [2]], "outputs": [2, 4]}


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


def test_tests_may_stand_in_several_columns(jsonl, written):
    test = "def check(f):\n    assert f(1) == 2\n"
    humaneval = {"prompt": "def double(n):\n    pass\n", "entry_point": "double", "test": test}
    source = source_of(
        path=jsonl([humaneval]), fields={"problem": "prompt", "tests": ["prompt", "entry_point", "test"]}
    )
    ((row,),) = written(settings_of(source, domain="code"))
    assert json.loads(row["tests"]) == {
        "asserts": ["assert f(1) == 2"], "names": {"f": "double"}, "preamble": "", "setup": "",
    }  # fmt: skip


def test_columns_may_have_other_names(jsonl, written):
    row = {
        "problem": "p",
        "shown": {"input": ["1\n"], "output": ["2\n"]},
        "hidden": {"input": ["2\n"], "output": ["4\n"]},
    }
    fields = {"tests": {"public_tests": "shown", "private_tests": "hidden"}}
    ((row,),) = written(settings_of(source_of(path=jsonl([row]), fields=fields), domain="code"))
    assert json.loads(row["tests"]) == STREAM


def test_a_column_that_names_its_form_is_read_so(jsonl, written):
    row = {"problem": "p", "input_output": json.dumps({**FUNCTION, "outputs": [[2], [4]]})}
    ((row,),) = written(settings_of(source_of(path=jsonl([row]), fields={"tests": "input_output"}), domain="code"))
    assert json.loads(row["tests"]) == FUNCTION


def test_a_column_of_tests_that_is_not_there_is_named(jsonl, curated):
    source = source_of(path=jsonl([{"problem": "p", "test": "x"}]), fields={"tests": ["test", "entry_point"]})
    with pytest.raises(UserError, match=r"sources\.a\.fields\.tests: the source has no column 'entry_point'"):
        curated(settings_of(source, domain="code"))


def test_asserts_are_shown(jsonl, written):
    row = {"problem": "p", "test_list": ["assert double(1) == 2", "assert double(2) == 4", "assert double(3) == 6"]}
    ((row,),) = written(settings_of(source_of(path=jsonl([row]), fields={"tests": "test_list"}), domain="code"))
    assert "tests: 3, asserts\n    assert double(1) == 2\n    assert double(2) == 4\n    ... 1 more" in shown(row)
