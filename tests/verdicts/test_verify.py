"""From question and trace files to a file of verdicts: order, workers, interruptions."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.rows import TRACES, VERDICTS, read_rows
from thoughtline.provenance.digest import modules_of
from thoughtline.recipe import settings as recipe_settings
from thoughtline.recipe.load import load
from thoughtline.recipe.settings import VERIFIER_MODULES
from thoughtline.verdicts import verify as module
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.exact import ExactVerifier
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace, write

EXACT = complete({"verifier": {"verifier": "exact"}})
CODE = {"verifier": {"verifier": "code", "seconds": 5}}
TESTS = {"inputs": ["1 2\n"], "outputs": ["3\n"]}


def exact_rows(count=30):
    questions = [question(f"q{number}", str(number % 3)) for number in range(count)]
    traces = [trace(row, f"The answer is {n}", n) for row in questions for n in range(3)]
    return questions, traces


def run(folder, questions, traces, settings=EXACT, name="v", work="work", **options):
    paths = write(folder, questions, traces)
    out = folder / f"{name}.parquet"
    return verify_traces(settings, *paths, out, folder / work, **options), out.read_bytes(), read_rows(out, VERDICTS)


def test_modules_are_those_of_the_rerun_digest():
    expected = {name: [f"verdicts.{module.MODULES[name]}"] for name in module.MODULES}
    assert {**expected, "none": []} == VERIFIER_MODULES


def test_rerun_digest_covers_what_runs_and_nothing_of_other_verifiers():
    closures = {name: set(modules_of("verdicts.verify", *files)) for name, files in VERIFIER_MODULES.items()}
    own = {
        "thoughtline.verdicts." + name
        for name in ("code", "compare", "executor", "sandbox", "jail.server", "jail.program", "jail.seccomp")
    }
    assert own <= closures["code"]
    assert {"thoughtline.verdicts.workers", "thoughtline.verdicts.answers"} <= closures["math_verify"]
    for name, closure in closures.items():
        assert name == "code" or not own & closure
        assert not any(module.startswith("thoughtline.recipe") for module in closure)


def test_each_trace_gives_one_row_and_counts_reconcile(tmp_path):
    counts, _, rows = run(tmp_path, *exact_rows())
    assert counts == {
        "in": 90, "out": 90, "dropped": {}, "status": {"correct": 30, "incorrect": 60}, "reason": {"wrong_answer": 60},
    }  # fmt: skip
    assert len({row["trace_id"] for row in rows}) == 90
    assert [(row["question_id"], row["sample"]) for row in rows] == sorted(
        (r["question_id"], r["sample"]) for r in rows
    )
    assert {row["verifier"] for row in rows} == {"exact"}
    assert json.loads(rows[0]["evidence"])["reference"]


def test_order_and_workers_change_nothing(tmp_path):
    questions, traces = exact_rows()
    _, first, _ = run(tmp_path, questions, traces, work="a")
    for number, workers in enumerate((2, 7)):
        random.Random(number).shuffle(traces)

        paths = write(tmp_path, questions, traces)
        pq.write_table(pa.Table.from_pylist(traces, schema=TRACES), paths[1])  # unsorted
        out = tmp_path / "other.parquet"
        verify_traces(EXACT, *paths, out, tmp_path / f"w{number}", workers=workers)
        assert out.read_bytes() == first


def test_programs_with_many_workers(tmp_path):
    questions = [question(f"p{number}", tests=TESTS, domain="code") for number in range(8)]
    programs = ["print(sum(map(int, input().split())))", "print(4)", "raise ValueError", "x ="]
    traces = [trace(row, f"```python\n{programs[n % 4]}\n```") for n, row in enumerate(questions)]
    found = [run(tmp_path, questions, traces, complete(CODE), work=f"w{n}", workers=n)[:2] for n in (1, 8)]
    assert found[0] == found[1]
    assert found[0][0]["reason"] == {"compile_error": 2, "runtime_error": 2, "wrong_answer": 2}


def test_none_judges_nothing(tmp_path):
    questions, traces = exact_rows(2)
    counts, _, rows = run(tmp_path, questions, traces, complete({"verifier": {"verifier": "none"}}))
    assert counts["status"] == {"unverified": 6}
    assert {row["verifier"] for row in rows} == {"none"}


def test_no_traces(tmp_path):
    assert run(tmp_path, [question("q", "1")], [])[0]["in"] == 0


def test_changed_rows_are_judged_again_and_others_are_not(tmp_path, monkeypatch):
    questions, traces = exact_rows(4)
    run(tmp_path, questions, traces)
    judged = []
    plain = module.judged
    monkeypatch.setattr(module, "judged", lambda *given: judged.append(given[2]["trace_id"]) or plain(*given))
    run(tmp_path, questions, traces)
    assert judged == []
    traces[0]["response"] = "The answer is 9"
    questions[1]["answer"] = "7"
    run(tmp_path, questions, traces)
    expected = [traces[0]["trace_id"]] + [
        row["trace_id"] for row in traces if row["question_id"] == questions[1]["question_id"]
    ]
    assert sorted(judged) == sorted(expected)
    judged.clear()
    other = complete({"verifier": {"verifier": "exact", "ignore_case": False}})
    run(tmp_path, questions, traces, other)
    assert len(judged) == 12


def test_a_failing_verifier_is_an_error_row_and_is_not_remembered(tmp_path, monkeypatch):
    questions, traces = exact_rows(2)
    calls = []
    plain = ExactVerifier.verify

    def fails(self, asked, answered):
        calls.append(answered["trace_id"])
        if answered["trace_id"] == traces[0]["trace_id"]:
            raise OSError("no space")
        return plain(self, asked, answered)

    monkeypatch.setattr(ExactVerifier, "verify", fails)
    counts, _, rows = run(tmp_path, questions, traces)
    assert counts["status"]["error"] == 1
    assert counts["reason"]["verifier_error"] == 1
    assert calls.count(traces[0]["trace_id"]) == 2
    (row,) = [row for row in rows if row["status"] == "error"]
    assert json.loads(row["evidence"]) == {"error": "OSError: no space"}
    monkeypatch.setattr(ExactVerifier, "verify", plain)
    assert "error" not in run(tmp_path, questions, traces)[0]["status"]


def test_bad_input(tmp_path):
    questions, traces = exact_rows(2)
    with pytest.raises(UserError, match="which is not in"):
        run(tmp_path, questions[:1], traces)
    with pytest.raises(UserError, match="occurs twice"):
        run(tmp_path, questions, [traces[0], {**traces[1], "trace_id": traces[0]["trace_id"]}])
    with pytest.raises(UserError, match="is not there"):
        verify_traces(EXACT, tmp_path / "absent.parquet", tmp_path / "traces.parquet", tmp_path / "o", tmp_path / "w")


JUDGE = {"verifier": "judge", "model": "m", "template": "x"}
COMBINED = {"verifier": "combined", "parser": {"verifier": "exact"}, "rule": "either"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, 'settings.verifier: is missing; {"verifier": {"verifier": "math_verify"}}'),
        ({"seed": 1}, 'settings.verifier: is missing; {"verifier": {"verifier": "math_verify"}}'),
        ({"verfier": {"verifier": "exact"}}, "settings.verfier: unknown key; did you mean 'verifier'?"),
        ({"verifier": "code"}, "settings.verifier: 'code' is a text, not a mapping"),
        ({"verifier": None}, "settings.verifier: null is not a mapping of keys"),
        ({"verifier": {}}, "settings.verifier: does not say which verifier"),
        (
            {"verifier": {"verifier": "maths"}},
            "settings.verifier: there is no verifier 'maths'; use one of 'math_verify'",
        ),
        ({"verifier": {"verifier": "exact", "ignore": 1}}, "settings.verifier.ignore: unknown key; did you mean"),
        (
            {"verifier": {"verifier": "code", "seconds": 0}},
            "settings.verifier.seconds: 0 is too small; more than 0",
        ),
        ({"verifier": COMBINED}, "settings.verifier.judge: is missing; Combined needs this key"),
        ({"verifier": JUDGE, "endpoint": {"url": "http://x/v1"}}, "settings.endpoint.model: is missing"),
        ({"verifier": JUDGE, "endpoint": "http://x/v1"}, "settings.endpoint: 'http://x/v1' is not a mapping of keys"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UserError) as error:
        complete(settings)
    assert str(error.value).startswith(message)


def test_settings_of_a_recipe_are_complete():
    """All keys that a recipe's settings have are known, and none is changed."""
    digests = {"code": "c", "environment": {"kind": "lock"}, "judge_environment": {"kind": "lock"}}
    judge = complete({"verifier": JUDGE, "engine": {"dtype": "float32"}, "endpoint": None, "seed": 7, **digests})
    assert complete(judge) == judge and judge["engine"] == {"dtype": "float32"} and judge["endpoint"] is None
    recipe = load(Path(__file__).parents[2] / "recipes/demo.yaml")
    for name in [*recipe.questions, *recipe.benchmarks]:
        made = recipe_settings.verdicts(recipe, name)
        assert complete(made) == {"seed": 42, **made}


def test_deadline_keeps_what_is_done(tmp_path):
    questions, traces = exact_rows(2)
    with pytest.raises(OutOfTime):
        run(tmp_path, questions, traces, deadline=Deadline(0))
    assert not (tmp_path / "v.parquet").exists()
    assert run(tmp_path, questions, traces)[0]["out"] == 6


def command(folder, name, paths):
    return [
        sys.executable, "-m", "thoughtline", "verdicts", "verify", "--settings", json.dumps(CODE),
        "--questions", str(paths[0]), "--traces", str(paths[1]), "--out", str(folder / f"{name}.parquet"),
        "--work", str(folder / name), "--workers", "2",
    ]  # fmt: skip


def test_killed_in_the_middle_and_run_again(tmp_path):
    questions = [question(f"p{number}", tests=TESTS, domain="code") for number in range(10)]
    program = "import time\ntime.sleep(0.3)\nprint(sum(map(int, input().split())))\n"
    traces = [trace(row, f"```python\n{program if n % 3 else 'print(4)'}\n```") for n, row in enumerate(questions)]
    paths = write(tmp_path, questions, traces)
    journal = tmp_path / "killed" / "journal.jsonl"
    process = subprocess.Popen(command(tmp_path, "killed", paths), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while (not journal.exists() or journal.read_bytes().count(b"\n") < 4) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with open(journal, "ab") as stream:
        stream.write(b'{"key": "torn')
    done = len(journal.read_bytes().splitlines()) - 2
    assert 3 <= done < 10
    assert not (tmp_path / "killed.parquet").exists()
    again = subprocess.run(command(tmp_path, "killed", paths), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert f"{done} from an earlier run" in again.stderr
    whole = subprocess.run(command(tmp_path, "whole", paths), capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    assert (tmp_path / "killed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    record = json.loads((tmp_path / "whole.parquet.prov.json").read_text())
    assert record["counts"]["status"] == {"correct": 6, "incorrect": 4}
    assert record["details"]["sandbox"]["layers"]
    assert record["settings"] == CODE
    shown = subprocess.run(
        [sys.executable, "-m", "thoughtline", "verdicts", "show", str(tmp_path / "whole.parquet"), "--reason", "wrong_answer"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "6  correct" in shown.stdout and "4  incorrect (wrong_answer)" in shown.stdout
    assert shown.stdout.count("\nt") == 0 and len(shown.stdout.splitlines()) == 6


def test_sigterm_stops_cleanly(tmp_path):
    questions = [question(f"p{number}", tests=TESTS, domain="code") for number in range(4)]
    traces = [trace(row, "```python\nimport time\ntime.sleep(30)\n```") for row in questions]
    paths = write(tmp_path, questions, traces)
    process = subprocess.Popen(command(tmp_path, "v", paths), stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "v" / "journal.jsonl").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 75, words
    assert "run the same command again" in words
