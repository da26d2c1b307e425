"""What is read from Slurm's queue (the real one: tests/cluster)."""

from pathlib import Path

import pytest
from thoughtline.machines import leftovers
from thoughtline.machines.leftovers import Job, Leftovers, comment_of, parse

QUEUE = """\
11|RUNNING|/work/mine|rule_verify_traces_wildcards_teacher_math-train_0000
12_3|RUNNING|/work/mine|rule_generate_traces_wildcards_teacher_math-train_0000
13|PENDING|/work/mine|rule_train_model_wildcards_student
14|RUNNING|/work/other|rule_train_model_wildcards_student
15|RUNNING|/work/mine|(null)
"""


def test_only_this_folders_jobs_count():
    assert parse(QUEUE, Path("/work/mine")) == [
        Job("11", "RUNNING", "rule_verify_traces_wildcards_teacher_math-train_0000"),
        Job("12_3", "RUNNING", "rule_generate_traces_wildcards_teacher_math-train_0000"),
        Job("13", "PENDING", "rule_train_model_wildcards_student"),
    ]


def test_comments_are_those_of_the_plugin():
    assert comment_of("write_report", []) == "rule_write_report"
    assert comment_of("verify_traces", ["a/b", "set", "0000"]) == "rule_verify_traces_wildcards_a_b_set_0000"


@pytest.mark.parametrize(
    ("rule", "wildcards", "option"),
    [
        ("verify_traces", ["teacher", "math-train", "0000"], "--dependency=afterany:11"),
        ("verify_traces", ["teacher", "math-train", "0001"], None),
        # A task of an array does not say which shard is its own.
        ("generate_traces", ["teacher", "math-train", "0007"], "--dependency=afterany:12_3"),
        ("train_model", ["student"], None),
    ],
)
def test_jobs_wait_for_those_that_work_on_their_artifact(monkeypatch, tmp_path, rule, wildcards, option):
    cancelled = []

    def slurm(*words):
        if words[0] == "scancel":
            cancelled.extend(words[1:])
        return "11\n12_3\n" if words[-1] == "%i" else QUEUE

    monkeypatch.setattr(leftovers, "_slurm", slurm)
    found = Leftovers()
    told = found.take_over(Path("/work/mine"), tmp_path)
    assert cancelled == ["13"]
    assert "left 3 jobs: 1 had not started" in told and "11, 12_3" in told
    assert found.dependency(rule, wildcards) == option


def test_what_has_ended_meanwhile_is_no_dependency(monkeypatch):
    found = Leftovers()
    found.running = [Job("11", "RUNNING", "rule_write_report")]
    monkeypatch.setattr(leftovers, "_slurm", lambda *words: "12\n")
    assert found.dependency("write_report", []) is None
