"""A training goes on with other numbers of ranks and nodes, and in segments of limited time: same rows, same steps, near or equal bytes."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from processes import processes_of
from thoughtline.common.files import read_json
from thoughtline.models import order
from training_run import (
    checkpoint_steps,
    finish,
    log_of,
    start,
    steps_done,
    stop_after,
    train,
    wait_for,
    weights_of,
)

LOSS = 1e-6
"""How far the loss of any step may be from that of another number of ranks, as a share of it (float32; measured: 1e-7)."""

WEIGHTS = 1e-6
"""How far any weight may be, absolutely; they move by up to 1e-2 here (measured: 1.2e-7)."""


def assert_near(out: Path, other: Path) -> None:
    """Same steps, epochs, tokens and learning rates; loss and weights within the bounds above."""
    ours, theirs = log_of(out), log_of(other)
    exact = ("step", "epoch", "tokens", "learning_rate")
    assert [[row[key] for key in exact] for row in ours] == [[row[key] for key in exact] for row in theirs]
    assert [row["loss"] for row in ours] == pytest.approx([row["loss"] for row in theirs], rel=LOSS)
    mine, others = weights_of(out), weights_of(other)
    assert mine.keys() ^ others.keys() <= {"lm_head.weight"}  # tied; written by stage 3 only
    assert max((mine[name] - others[name]).abs().max().item() for name in mine.keys() & others.keys()) < WEIGHTS


def test_two_nodes_of_one_rank_make_the_bytes_of_one_node_of_two(tmp_path, base, dataset, undisturbed):
    train(base, dataset, tmp_path / "student", tmp_path / "work", "--nodes", "2")
    for name in ("model.json", "training.jsonl"):
        assert (tmp_path / "student" / name).read_bytes() == (undisturbed / name).read_bytes()
    summary = read_json(tmp_path / "student" / "training.json")
    assert (summary["ranks"], summary["nodes"], len(summary["peak_memory_bytes"])) == (2, 2, 2)


def test_a_node_that_dies_ends_the_others(tmp_path, base, dataset):
    process = start(base, dataset, tmp_path / "student", tmp_path / "work", "--nodes", "2")
    wait_for(lambda: steps_done(tmp_path / "work") >= 1, process)
    pids = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if is_agent(path, tmp_path / "work", "1")]
    (pid,) = pids
    os.kill(int(pid), signal.SIGKILL)
    code, output = finish(process)
    assert code == 1 and "training failed" in output
    end = time.monotonic() + 20
    while processes_of(tmp_path / "work") and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of(tmp_path / "work") == []


def is_agent(path: Path, work: Path, node: str) -> bool:
    """Whether /proc/PID/cmdline is torchrun of that node."""
    try:
        words = path.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    return "torch.distributed.run" in words and str(work) in words and words[words.index("--node-rank") + 1] == node


def test_a_checkpoint_of_two_ranks_goes_on_on_one_and_on_four(tmp_path, base, dataset, undisturbed, stopped):
    last = checkpoint_steps(stopped)[-1]
    for folder, ranks in ((tmp_path / "one", 1), (tmp_path / "four", 4)):
        shutil.copytree(stopped, folder / "work")
        told = train(base, dataset, folder / "student", folder / "work", "--processes", str(ranks))
        assert f"going on from checkpoint-{last}, written by 2 ranks, on {ranks}" in told
        assert_near(folder / "student", undisturbed)
        summary = read_json(folder / "student" / "training.json")
        assert (summary["ranks"], summary["accumulation_steps"]) == (ranks, 4 // ranks)
        assert summary["segments"] == [
            {"first_step": 0, "last_step": last, "ranks": 2, "nodes": 1},
            {"first_step": last, "last_step": 24, "ranks": ranks, "nodes": 1},
        ]


def test_other_zero_stages_change_their_ranks_too(tmp_path, base, dataset, undisturbed):
    zero = {"stage": 2, "offload_optimizer": False, "offload_parameters": False}
    stop_after(3, base, dataset, tmp_path, zero=zero)
    train(base, dataset, tmp_path / "student", tmp_path / "work", "--processes", "1", zero=zero)
    assert_near(tmp_path / "student", undisturbed)


def test_zero_settings_that_were_chosen_stay_until_the_training_ends(tmp_path, base, dataset, undisturbed):
    stop_after(2, base, dataset, tmp_path, zero="auto")
    told = train(base, dataset, tmp_path / "student", tmp_path / "work", "--zero", "2", zero="auto")
    assert "ZeRO settings stay those that this training began with" in told and "going on from checkpoint" in told
    summary = read_json(tmp_path / "student" / "training.json")
    assert summary["zero"] == {"stage": 3, "offload_optimizer": False, "offload_parameters": False}
    assert read_json(tmp_path / "student" / "model.json.prov.json")["settings"]["zero"] == "auto"
    assert weights_of(tmp_path / "student").keys() == weights_of(undisturbed).keys()
    assert (tmp_path / "student" / "training.jsonl").read_bytes() == (undisturbed / "training.jsonl").read_bytes()


def test_the_recipes_ranks_may_change_between_segments(tmp_path, base, dataset, undisturbed):
    stopped = stop_after(2, base, dataset, tmp_path, ranks=1)
    told = train(base, dataset, tmp_path / "student", tmp_path / "work", ranks=2)
    assert f"going on from checkpoint-{stopped}, written by 1 ranks, on 2" in told
    assert_near(tmp_path / "student", undisturbed)


def history(work: Path) -> list[dict]:
    """Loss and norm of each step up to the last checkpoint."""
    newest = work / "run" / f"checkpoint-{checkpoint_steps(work)[-1]}"
    return [
        {key: row[key] for key in ("step", "loss", "grad_norm")}
        for row in read_json(newest / "trainer_state.json")["log_history"]
    ]


def test_a_chain_of_segments_with_a_time_limit_equals_a_run_without(tmp_path, base, dataset):
    more = {"epochs": 500.0, "save_steps": 100000}
    chain, whole = tmp_path / "chain", tmp_path / "whole"
    started = time.monotonic()
    done = stop_after(1, base, dataset, whole, **more)
    minutes = max(0.6, 2 * (time.monotonic() - started) / 60)
    reached = [0]
    for _ in range(2):
        started = time.monotonic()
        code, output = finish(
            start(base, dataset, chain / "student", chain / "work", "--minutes", str(minutes), **more)
        )
        assert code == 75 and "run the same command again" in output
        assert time.monotonic() - started < 60 * minutes
        reached.append(checkpoint_steps(chain / "work")[-1])
    assert 0 < reached[1] < reached[2]
    pace = read_json(chain / "work" / "pace.json")
    assert all(pace[name] > 0 for name in ("load", "step", "save"))
    assert done < reached[2]
    stop_after(reached[2] - done, base, dataset, whole, **more)
    steps = reached[2]
    assert history(chain / "work")[:steps] == history(whole / "work")[:steps]


def test_a_segment_too_short_for_one_step_says_so_instead_of_running_for_ever(tmp_path, base, dataset):
    code, output = finish(start(base, dataset, tmp_path / "student", tmp_path / "work", "--minutes", "0.12"))
    assert code == 2
    assert "--minutes: 0.12 minutes are too short for loading, one step and its checkpoint" in output
    assert "give the job at least" in output
    assert processes_of(tmp_path / "work") == []


@pytest.mark.parametrize(("micro", "ranks"), [(1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1)])
def test_a_step_has_the_same_rows_on_any_number_of_ranks(micro, ranks):
    rows, batch = 22, 4
    for epoch in range(2):
        extra = order.fillers(rows, micro, ranks)
        indices = list(order.sampler(rows, extra, 7, lambda epoch=epoch: epoch))
        assert len(indices) % (micro * ranks) == 0 and sorted(indices) == list(range(rows + extra))
        batches = [indices[first : first + micro] for first in range(0, len(indices), micro)]
        dealt = [batches[rank::ranks] for rank in range(ranks)]
        accumulated = batch // (micro * ranks)
        steps = [
            {
                row
                for mine in dealt
                for micro_batch in mine[step * accumulated : (step + 1) * accumulated]
                for row in micro_batch
            }
            for step in range(6)
        ]
        expected = order.permutation(rows, 7, epoch)
        assert [{row for row in step if row < rows} for step in steps] == [
            set(expected[first : first + batch]) for first in range(0, rows, batch)
        ]


def test_tokens_and_epochs_seen():
    lengths = [10**number for number in range(5)]
    first, second = (order.permutation(5, 3, epoch) for epoch in (0, 1))
    assert first != second
    seen = order.tokens_seen(lengths, 2, 3, 4)
    assert seen[2] == sum(lengths)
    assert seen[0] == sum(lengths[row] for row in first[:2])
    assert seen[3] - seen[2] == sum(lengths[row] for row in second[:2])
    assert [order.epochs_seen(5, 2, step) for step in (1, 2, 3, 4, 6)] == [0.4, 0.8, 1.0, 1.4, 2.0]


def test_a_filler_trains_nothing():
    row = order.filler(5)
    assert set(row["labels"]) == {-100} and len(row["input_ids"]) == len(row["labels"]) == row["seq_lengths"][0]
