"""Arrays that could not do are refused before anything is submitted."""

import pytest
from thoughtline.common.errors import UserError
from thoughtline.machines.arrays import check, chosen

SHARDS = [("generate_traces", f"teacher math {number:04d}", {"mem_mb": 8000}) for number in range(4)]
RULES = ["generate_traces", "verify_traces", "train_model"]
OTHER = ("generate_traces", "teacher code 0000", {"mem_mb": 9000})
TRAINING = ("train_model", "student", {"mem_mb": 16000})


def test_equal_jobs_with_room_for_all_are_fine():
    check("generate_traces", RULES, [*SHARDS, TRAINING], 5)


def test_tasks_of_an_array_ask_for_the_same():
    with pytest.raises(UserError, match=r"math 0000 and teacher code 0000 .*\(mem_mb 8000 and 9000\)"):
        check("all", RULES, [*SHARDS, OTHER], 10)


def test_there_must_be_room_for_all_jobs():
    with pytest.raises(UserError, match="5 jobs and room for 4 at a time"):
        check("generate_traces", RULES, [*SHARDS, TRAINING], 4)


def test_rules_that_are_not_named_may_differ_and_wait():
    check("verify_traces", RULES, [*SHARDS, OTHER], 1)


@pytest.mark.parametrize("option", ["a, b", "b;a", "all"])
def test_rules_are_named_as_the_plugin_takes_them(option):
    assert chosen(option, ["b", "a", "a"]) == ["a", "b"]


def test_a_mistyped_rule_is_said():
    with pytest.raises(UserError, match=r"there is no rule 'generate_trace'.*say generate_traces"):
        check("generate_trace", RULES, SHARDS, 9)
