"""Rows become questions of one form."""

import datetime
import json

import numpy as np
import pytest
from small_sets import settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.questions.normalise import last_boxed
from thoughtline.questions.values import encodable, plain, text_of


def one(jsonl, written, row, domain="math", **keys):
    ((found,),) = written(settings_of(source_of(path=jsonl([row]), **keys), domain=domain))
    return found


def test_a_row_keeps_its_text_and_maps_its_columns(jsonl, written):
    row = {"q": " Add 2 and 2.\n", "a": 4, "s": "2+2=4", "level": 1, "tags": ["x"], "unused": 1}
    fields = {"problem": "q", "answer": "a", "solution": "s", "metadata": ["level", "tags"]}
    found = one(jsonl, written, row, fields=fields)
    assert found.pop("question_id")
    assert found == {
        "domain": "math", "source": "a", "problem": " Add 2 and 2.\n", "answer": "4", "solution": "2+2=4", "choices": None,
        "tests": None, "starter_code": None, "turns": None, "references": None, "metadata": '{"level":1,"source_index":0,"tags":["x"]}',
    }  # fmt: skip


@pytest.mark.parametrize("problem", [None, "", " \n\t"])
def test_rows_without_a_problem_are_dropped(problem, jsonl, curated):
    pool = curated(settings_of(source_of(path=jsonl([{"problem": problem}, {"problem": "p"}]))))
    assert pool.counts()["dropped"] == {"no_problem": 1}
    assert pool.dropped[0]["index_in_source"] == 0
    assert pool.questions[0]["row"] == 1


def test_a_null_row_shifts_nothing(jsonl, curated):
    rows = [{"problem": "p0"}, {"problem": None}, {"problem": "p2"}, {"problem": "p0"}]
    pool = curated(settings_of(source_of(path=jsonl(rows))))
    assert {(row["index_in_source"], row["reason"]) for row in pool.dropped} == {(1, "no_problem"), (3, "duplicate")}


def test_a_lone_surrogate_is_dropped_not_a_crash(tmp_path, curated):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "bad \\ud83d"}\n{"problem": "good", "x": "\\ud83d"}\n{"problem": "fine"}\n')
    pool = curated(settings_of(source_of(path=str(path), fields={"metadata": ["x"]})))
    assert [question["problem"] for question in pool.questions] == ["fine"]
    assert pool.counts()["dropped"] == {"bad_text": 2}


def test_math_without_answer_column_takes_what_the_solution_boxes(jsonl, written):
    row = {"problem": "p", "solution": r"first \boxed{1}, then \boxed{\frac{1}{2}}."}
    assert one(jsonl, written, row, fields={"solution": "solution"})["answer"] == r"\frac{1}{2}"
    assert one(jsonl, written, row, domain="science", fields={"solution": "solution"})["answer"] is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{4}", "4"),
        (r"\boxed{1} \boxed{ \{1, 2\} }", r"\{1, 2\}"),
        (r"\boxed{\text{a {b} c}}", r"\text{a {b} c}"),
        (r"\boxed{2} and \boxed{unclosed", "2"),
        (r"\boxed{}", None),
        ("none", None),
    ],
)
def test_last_boxed(text, answer):
    assert last_boxed(text) == answer


def test_code_solutions_of_several_the_first(jsonl, written):
    fields = {"solution": "solutions"}
    for value in (["", "print(1)", "print(2)"], json.dumps(["print(1)"]), "print(1)"):
        assert (
            one(jsonl, written, {"problem": "p", "solutions": value}, "code", fields=fields)["solution"] == "print(1)"
        )
    assert one(jsonl, written, {"problem": "p", "solutions": "[]"}, "code", fields=fields)["solution"] is None
    assert (
        one(jsonl, written, {"problem": "p", "solutions": "[print(i) for i in x]"}, "code", fields=fields)["solution"][
            0
        ]
        == "["
    )
    assert (
        one(jsonl, written, {"problem": "p", "starter_code": ""}, "code", fields={"starter_code": "starter_code"})[
            "starter_code"
        ]
        is None
    )


def test_columns_that_are_not_there_and_are_no_text(jsonl, curated):
    path = jsonl([{"question": "p", "solution": {"a": 1}}])
    with pytest.raises(
        UserError, match=r"sources\.a\.fields\.problem: the source has no column 'problem'; it has question, sol"
    ):
        curated(settings_of(source_of(path=path)))
    with pytest.raises(UserError, match=r"sources\.a\.fields\.metadata: the source has no column 'level'"):
        curated(settings_of(source_of(path=path, fields={"problem": "question", "metadata": ["level"]})))
    with pytest.raises(
        UserError, match=r"sources\.a\.fields\.solution: column 'solution' of row 0 holds dict, not text"
    ):
        curated(settings_of(source_of(path=path, fields={"problem": "question", "solution": "solution"})))


def test_plain_values():
    value = {
        "s": np.str_("x"),
        "n": np.int64(3),
        "a": np.array([1.5, np.nan]),
        1: (1, {2, 3}),
        "d": datetime.date(2025, 1, 2),
    }
    assert plain(value) == {"s": "x", "n": 3, "a": [1.5, None], "1": [1, [2, 3]], "d": "2025-01-02"}
    assert type(plain(np.str_("x"))) is str
    assert [text_of(each) for each in (True, 3, 2.5, " x ", "", None, [1])] == [
        "True",
        "3",
        "2.5",
        "x",
        None,
        None,
        "[1]",
    ]
    assert not encodable({"a": ["\ud800"]})
    assert encodable({"a": ["é"]})
