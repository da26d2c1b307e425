"""Bad input ends in one clear error before anything is launched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import as_option, train_settings, turns, write_dataset
from thoughtline.common.errors import UserError
from thoughtline.common.files import write_json
from thoughtline.common.lease import Lease
from thoughtline.models import checkpoints
from thoughtline.models.artifact import read_model
from thoughtline.models.conversation import read_conversations
from thoughtline.models.hardware import Node, choose_device, read_nodes, this_node
from thoughtline.models.train import check, header, prepare_work
from training_run import finish, start

GOOD = {"system": None, "conversations": turns("one", "two")}
BASE = {"name": "tiny", "context_length": 256}


def test_rows_become_messages(tmp_path):
    folder = write_dataset(tmp_path, [GOOD, {"system": "be brief", "conversations": turns("a", "b", "c", "d")}])
    first, second = read_conversations(folder)
    assert first == [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]
    assert [each["role"] for each in second] == ["system", "user", "assistant", "user", "assistant"]


def test_an_empty_system_text_is_no_system_message(tmp_path):
    (messages,) = read_conversations(write_dataset(tmp_path, [{**GOOD, "system": ""}]))
    assert messages[0]["role"] == "user"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no rows"),
        ([GOOD, {"system": None, "conversations": turns("only a question")}], "row 1: does not end with a reply"),
        ([{"system": None, "conversations": turns("a", "b")[::-1]}], "row 0: turn 1 is from 'assistant'"),
        ([{"system": None, "conversations": []}], "row 0: does not end with a reply"),
    ],
)
def test_bad_datasets(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        read_conversations(write_dataset(tmp_path, rows))


def test_a_missing_or_broken_dataset(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_conversations(tmp_path)
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "train.parquet").write_text("no parquet")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_conversations(tmp_path)


@pytest.mark.parametrize(
    ("settings", "nodes", "processes", "message"),
    [
        ({"max_length": 512}, 1, 2, "longer than the context of tiny, 256 tokens"),
        ({"global_batch": 5}, 1, 2, "not divisible by micro_batch x ranks = 2; numbers of ranks that fit: 1, 5"),
        ({"global_batch": 6, "micro_batch": 4}, 1, 2, "not divisible by micro_batch x ranks = 8; use a multiple of 4"),
        ({"zero": {"stage": 2, "offload_optimizer": False, "offload_parameters": True}}, 1, 2, "use stage 3"),
        ({}, 1, 3, "--processes.*not divisible by micro_batch x ranks = 3; numbers of ranks that fit: 1, 2, 4"),
        ({"global_batch": 6}, 2, 3, "--nodes: 3 ranks cannot be shared evenly by 2 nodes"),
    ],
)
def test_settings_that_cannot_work(settings, nodes, processes, message):
    with pytest.raises(UserError, match=message):
        check(train_settings(**settings), BASE, nodes, processes)


@pytest.mark.parametrize(("nodes", "processes"), [(1, 1), (1, 2), (2, 4), (4, 4)])
def test_good_settings_pass(nodes, processes):
    check(train_settings(), BASE, nodes, processes)


def node(*gpus, flags=(), name="n1"):
    return Node(name, list(gpus), list(flags), 4)


def test_hardware_for_the_precision():
    assert choose_device("bfloat16", 2, [node(flags=["sse2", "avx512bw"])]) == "cpu"
    assert choose_device("bfloat16", 2, [node(8.0, 9.0)]) == "cuda"
    assert choose_device("float32", 2, [node()]) == "cpu"
    with pytest.raises(UserError, match="no bfloat16 instructions"):
        choose_device("bfloat16", 2, [node(flags=["sse2", "avx2"])])
    with pytest.raises(UserError, match=r"capability 7\.5"):
        choose_device("bfloat16", 2, [node(8.0, 7.5)])
    with pytest.raises(UserError, match="2 ranks need as many GPUs, 1 can"):
        choose_device("bfloat16", 2, [node(8.0)])


def test_every_node_must_do():
    assert choose_device("bfloat16", 2, [node(8.0, 8.0), node(9.0, 9.0, name="n2")]) == "cuda"
    with pytest.raises(UserError, match="2 ranks need as many GPUs, 0 on node n2 can"):
        choose_device("float32", 2, [node(8.0, 8.0), node(name="n2")])
    with pytest.raises(UserError, match="no bfloat16 instructions"):
        choose_device("bfloat16", 1, [node(flags=["amx_bf16"]), node(flags=["avx2"], name="n2")])


def test_nodes_tell_what_they_have(tmp_path):
    for rank in range(2):
        subprocess.run(
            [sys.executable, "-m", "thoughtline.models.hardware", str(tmp_path / f"{rank}.json")], check=True
        )
    assert read_nodes(tmp_path) == [this_node()] * 2


def test_a_missing_base_and_missing_weights(tmp_path):
    with pytest.raises(UserError, match="no such model"):
        read_model(tmp_path / "model.json")
    model = {"name": "m", "revision": "r", "weights": "weights", "files": {"config.json": "0"}, "context_length": 8}
    write_json(tmp_path / "model.json", model)
    with pytest.raises(UserError, match=r"lacks config\.json"):
        read_model(tmp_path / "model.json")


def test_the_command_says_it_in_one_line_and_leaves_no_output(tmp_path, base):
    empty = write_dataset(tmp_path / "data", [])
    words = [sys.executable, "-m", "thoughtline", "models", "train", "--settings", as_option(train_settings())]
    words += ["--base", str(base), "--dataset", str(empty), "--out", str(tmp_path / "student")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "has no rows" in done.stderr
    assert not (tmp_path / "student").exists()


def test_a_training_of_one_step_that_is_all_warm_up_is_refused(tmp_path, base, dataset):
    more = {"epochs": 1.0, "global_batch": 22, "ranks": 1}
    code, output = finish(start(base, dataset, tmp_path / "student", tmp_path / "work", **more))
    (said,) = [line for line in output.splitlines() if line.startswith("error:")]
    assert code == 2 and "training of student on sums: 22 sequences, 22 a step, for 1 epochs make one step" in said
    assert "warmup_ratio 0.1" in said and "use a smaller global_batch, more rows or epochs" in said
    assert not (tmp_path / "student" / "model.json").exists()


def whole_checkpoint(run: Path, step: int) -> Path:
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "shard.pt").write_bytes(b"12345")
    checkpoints.mark_complete(folder)
    return folder


def test_only_whole_checkpoints_count(tmp_path):
    good = whole_checkpoint(tmp_path, 9)
    cut = whole_checkpoint(tmp_path, 12)
    (cut / "shard.pt").write_bytes(b"123")
    (tmp_path / "checkpoint-100").mkdir()
    assert checkpoints.newest(tmp_path) == good
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-9"]
    assert checkpoints.newest(tmp_path / "none") is None


def test_checkpoints_belong_to_settings_base_and_dataset(tmp_path, dataset):
    work = tmp_path / "work"
    work.mkdir()
    mine = header(train_settings(), {"revision": "r1"}, dataset)
    prepare_work(work, mine)
    kept = whole_checkpoint(work / "run", 3)
    prepare_work(work, mine)
    assert kept.is_dir()
    for other in (
        header(train_settings(learning_rate=2e-3), {"revision": "r1"}, dataset),
        header(train_settings(), {"revision": "r2"}, dataset),
        {**mine, "dataset": "another"},
    ):
        prepare_work(work, mine)
        kept = kept if kept.is_dir() else whole_checkpoint(work / "run", 3)
        prepare_work(work, other)
        assert not kept.exists()


def test_checkpoints_of_another_number_of_ranks_are_kept(tmp_path, dataset):
    prepare_work(tmp_path, header(train_settings(), {"revision": "r"}, dataset))
    kept = whole_checkpoint(tmp_path / "run", 3)
    prepare_work(tmp_path, header(train_settings(ranks=1), {"revision": "r"}, dataset))
    assert kept.is_dir()


def test_two_writers_cannot_share_a_work_folder(tmp_path, base, dataset):
    words = [sys.executable, "-m", "thoughtline", "models", "train", "--settings", as_option(train_settings())]
    words += [
        "--base",
        str(base),
        "--dataset",
        str(dataset),
        "--out",
        str(tmp_path / "student"),
        "--work",
        str(tmp_path / "w"),
    ]
    with Lease(tmp_path / "w"):
        done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and "another writer" in done.stderr
