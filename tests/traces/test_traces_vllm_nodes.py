"""A real vLLM server whose tensor parallel workers are spread over two "nodes" of this machine (1 to 5 minutes by its load)."""

import json
import subprocess
from pathlib import Path

import pytest
from dummy_service import call, command, settings_for, until, write_questions
from processes import processes_of
from thoughtline.common.rows import TRACES, read_rows
from thoughtline.traces.vllm_node import INTERFACE, own_address

pytest.importorskip("vllm", reason="needs the environment `generate`")

from test_traces_vllm import ENGINE, make_model

ONE = {**ENGINE, "arguments": {"max_num_seqs": 16}}
SHARED = {**ENGINE, "arguments": {"max_num_seqs": 16, "tensor_parallel_size": 2}}


def test_two_nodes_serve_one_model(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    for name in ("SLURM_JOB_ID", "THOUGHTLINE_CONTAINERS"):
        monkeypatch.delenv(name, raising=False)
    model = make_model(tmp_path / "models")
    write_questions(tmp_path / "questions", 3)
    out = tmp_path / "run" / "set" / "0000.parquet"
    # The recipe leaves it to the machine, and the pipeline tells the command what was chosen.
    settings = settings_for(None, engine=ONE, samples=1)
    options = ("--model", str(model), "--nodes", "2", "--tensor-parallel", "2", "--start-seconds", "900")
    words = command(settings, tmp_path / "questions", out, tmp_path / "work", *options)
    done = subprocess.run(words, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr[-4000:]
    rows = read_rows(out, TRACES)
    assert len(rows) == 3 and {row["status"] for row in rows} <= {"truncated", "finished"}
    record = json.loads(Path(f"{out}.prov.json").read_text())
    server = record["details"]["server"]
    assert server[server.index("--tensor-parallel-size") + 1] == "2"
    assert "tensor_parallel_size" not in json.dumps(record["settings"]) + record["details"]["revision"]
    assert server[server.index("--nnodes") + 1] == "2" and server[server.index("--node-rank") + 1] == "{node_rank}"
    (log,) = (tmp_path / "work").glob("server/*/*/server.log")
    assert "world_size=2 rank=0" in log.read_text() and "world_size=2 rank=1" in log.read_text()
    until(lambda: not processes_of(tmp_path), 60)


def test_workers_that_cannot_be_shared_evenly_are_one_clear_error(tmp_path):
    model = make_model(tmp_path / "models")
    write_questions(tmp_path / "questions", 1)
    words = command(
        settings_for(None, engine=SHARED, samples=1), tmp_path / "questions", tmp_path / "out", tmp_path / "work"
    )
    done = call([*words, "--model", str(model), "--nodes", "3"])
    assert done.returncode == 2 and "2 workers cannot be shared evenly by 3 nodes" in done.stderr


def test_the_interface_between_nodes_is_the_machines(monkeypatch):
    for name in INTERFACE:
        monkeypatch.delenv(name, raising=False)
    assert own_address() is None
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "nosuch0")
    assert own_address() is None
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    assert own_address() == "127.0.0.1"
