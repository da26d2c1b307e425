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
    ],
)
def test_bad_tables(tmp_path, rows, arguments, message):
    with pytest.raises(UserError, match=message):
        verify("--in", written(tmp_path / "mine.jsonl", rows), "--out", tmp_path / "v.parquet", *arguments)
    assert not (tmp_path / "v.parquet").exists()


def test_without_a_table_the_rest_must_be_given(tmp_path):
    with pytest.raises(UserError, match="--settings"):
        verify("--out", tmp_path / "v.parquet")
