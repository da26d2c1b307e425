"""`thoughtline verdicts verify --in` on anybody's table."""

import argparse
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.rows import VERDICTS, read_rows
from thoughtline.verdicts import cli

TESTS = {"inputs": ["1\n"], "outputs": ["2\n"]}
ROWS = [
    {"response": r"So \boxed{1/2}", "answer": "0.5"},
    {"response": r"So \boxed{3}", "answer": "0.5"},
    {"response": "```python\nprint(int(input()) + 1)\n```", "tests": TESTS},
    {"response": "The answer is B", "choices": ["x", "y"], "answer": "B"},
    {"response": "Who knows?"},
]
EXPECTED = ["correct", "incorrect", "correct", "correct", "unverified"]


def verify(*arguments):
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers())
    args = parser.parse_args(["verify", *map(str, arguments)])
    args.run(args)


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_each_row_goes_to_the_verifier_of_its_reference(tmp_path):
    out = tmp_path / "v.parquet"
    verify("--in", written(tmp_path / "mine.jsonl", ROWS), "--out", out, "--workers", 1)
    rows = read_rows(out, VERDICTS)
    assert [row["status"] for row in rows] == EXPECTED  # in the order of the table
    assert [row["verifier"] for row in rows] == ["math_verify", "math_verify", "code", "choice", "none"]
    assert json.loads((tmp_path / "v.parquet.prov.json").read_text())["counts"]["out"] == 5


def test_parquet_and_other_names_and_one_verifier(tmp_path):
    table = pa.Table.from_pylist([{"text": "one\nTwo", "gold": "two"}, {"text": "one", "gold": "two"}])
    pq.write_table(table, tmp_path / "mine.parquet")
    out = tmp_path / "v.parquet"
    columns = ["--columns", "response=text", "answer=gold"]
    verify("--in", tmp_path / "mine.parquet", *columns, "--verifier", "exact", "--out", out)
    assert [row["status"] for row in read_rows(out, VERDICTS)] == ["correct", "incorrect"]


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ([], [], "has no rows"),
        ([{"text": "x", "answer": "1"}], [], "no column response"),
        ([{"text": "x", "answer": "1"}], ["--columns", "response=output"], "no column output"),
        ([{"response": "x"}], ["--columns", "reply=response"], "no column of ours"),
        ([{"response": "x"}], ["--columns", "response"], "NAME=COLUMN"),
        ([{"response": "x", "trace_id": "a"}] * 2, [], "occurs twice"),
        ([{"response": "x", "question_id": "a", "answer": n} for n in "12"], [], "something else further up"),
        ([{"response": 5, "answer": "1"}], [], "row 0.*response '5' is no text"),
        ([{"response": "x", "sample": "one"}], [], "sample 'one' is no whole number"),
        ([{"response": "x", "status": "weird"}], [], "'weird' is none of finished"),
        ([{"response": "x", "choices": "x,y"}], [], "no list of texts"),
        ([[1, 2]], [], "line 1.*is list, no object"),
        ([{"response": "x", "answer": "1"}], ["--questions", "q.parquet"], "beside --in"),
        (
            [{"response": "x"}],
            ["--verifier", "exact", "--settings", '{"verifier": {"verifier": "code"}}'],
            "beside --settings",
        ),
        ([{"response": "x = 1", "tests": {"asserts": ["assert f( =="]}}], [], "does not parse"),
    ],
)
def test_bad_tables(tmp_path, rows, arguments, message):
    with pytest.raises(UserError, match=message):
        verify("--in", written(tmp_path / "mine.jsonl", rows), "--out", tmp_path / "v.parquet", *arguments)
    assert not (tmp_path / "v.parquet").exists()


def test_outputs_that_would_do_harm(tmp_path):
    mine = written(tmp_path / "mine.jsonl", ROWS)
    with pytest.raises(UserError, match="Parquet file"):
        verify("--in", mine, "--out", mine)
    table = tmp_path / "mine.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS[:2]), table)
    before = table.read_bytes()
    with pytest.raises(UserError, match="overwritten"):
        verify("--in", table, "--out", table)
    assert table.read_bytes() == before


def test_a_line_that_is_broken_is_named(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"response": "x", "answer": "1"}\n{"response": \n')
    with pytest.raises(UserError, match="line 2"):
        verify("--in", tmp_path / "mine.jsonl", "--out", tmp_path / "v.parquet")


def test_tables_as_problem_sets_are_published(tmp_path):
    add = "```python\ndef add(a, b):\n    return a + b\n```"
    reads = "```python\nprint(int(input()) + 1)\n```"
    rows = [
        {"response": add, "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]})},
        {"response": add, "test_list": ["assert add(1, 2) == 3"], "test_setup_code": ""},
        {
            "response": add,
            "prompt": "",
            "entry_point": "add",
            "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
        },
        {"response": reads, "public_tests": {"input": ["1\n"], "output": ["2\n"]}, "private_tests": None},
        {"response": reads, "public_test_cases": json.dumps([{"input": "1", "output": "2", "testtype": "stdin"}])},
        {"response": "no commas here", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    ]
    out = tmp_path / "v.parquet"
    verify("--in", written(tmp_path / "mine.jsonl", rows), "--out", out, "--workers", 1)
    assert [row["status"] for row in read_rows(out, VERDICTS)] == ["correct"] * 6
    columns = ["--columns", "tests=prompt,entry_point,test"]
    verify("--in", written(tmp_path / "he.jsonl", rows[2:3]), *columns, "--out", out, "--workers", 1)
    assert [row["status"] for row in read_rows(out, VERDICTS)] == ["correct"]


def test_thinking_is_not_judged(tmp_path):
    rows = [
        {"response": r"<think>so \boxed{5}? no.</think>The answer is 6.", "answer": "6"},
        {"response": r"so \boxed{5}? no.</think>The answer is 6.", "answer": "6"},
        {"response": r"<think>so \boxed{6}", "answer": "6"},
    ]
    out = tmp_path / "v.parquet"
    verify("--in", written(tmp_path / "mine.jsonl", rows), "--out", out, "--workers", 1)
    assert [row["reason"] for row in read_rows(out, VERDICTS)] == ["", "", "truncated"]


def test_without_a_table_the_rest_must_be_given(tmp_path):
    with pytest.raises(UserError, match="--settings"):
        verify("--out", tmp_path / "v.parquet")
