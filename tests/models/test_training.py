"""Two ranks of ZeRO-3 really train a tiny model; killed and stopped runs end in the same bytes as an undisturbed one."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path

import pytest
from processes import processes_of
from thoughtline.common.files import read_json
from training_run import checkpoint_steps, finish, log_of, start, step_rows, wait_for

STEPS = 24
"""22 rows, 4 a step, 4 epochs."""


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory, base, dataset, stopped) -> Path:
    """Stopped by SIGTERM after a few steps, then killed with -9 after a few more, then finished."""
    folder = tmp_path_factory.mktemp("disturbed")
    out, work = folder / "student", folder / "work"

    shutil.copytree(stopped, work)
    stopped_at = checkpoint_steps(work)[-1]
    assert 1 <= stopped_at < STEPS

    process = start(base, dataset, out, work)
    wait_for(lambda: len(rows := step_rows(work)) >= 4 and rows[0]["step"] > 1, process)
    assert step_rows(work)[0]["step"] == stopped_at + 1
    process.kill()
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 20
    while processes_of(work) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_of(work) == []
    torn = work / "run" / "checkpoint-999"
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{")
    assert not (out / "model.json").exists()

    process = start(base, dataset, out, work)
    code, output = finish(process)
    assert code == 0, output
    assert "going on from checkpoint-" in output
    return out


def test_an_interrupted_training_ends_in_the_same_bytes(undisturbed, disturbed):
    for name in ("model.json", "training.jsonl"):
        assert (undisturbed / name).read_bytes() == (disturbed / name).read_bytes()
    assert read_json(disturbed / "training.json")["interruptions"] >= 1


def test_the_log_has_one_row_a_step_and_the_loss_falls(undisturbed):
    rows = log_of(undisturbed)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert set(rows[0]) == {"step", "epoch", "loss", "learning_rate", "grad_norm", "tokens"}
    assert rows[-1]["loss"] < rows[0]["loss"] - 0.5
    assert all(a["tokens"] < b["tokens"] for a, b in itertools.pairwise(rows))
    assert max(row["learning_rate"] for row in rows) == pytest.approx(1e-3)
    assert rows[-1]["epoch"] == 4


def test_the_trained_model_loads_generates_and_differs_from_its_base(undisturbed, base):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = read_json(undisturbed / "model.json")
    assert model["kind"] == "trained" and model["base"] == "tiny" and model["revision"].startswith("sha256:")
    old, new = (
        AutoModelForCausalLM.from_pretrained(folder) for folder in (base.parent / "weights", undisturbed / "weights")
    )
    assert sorted(old.state_dict()) == sorted(new.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(undisturbed / "weights")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "add the two"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.no_grad():
        assert (old(**prompt).logits - new(**prompt).logits).abs().max() > 0.1
    assert new.generate(**prompt, max_new_tokens=5, do_sample=False).shape[1] > prompt["input_ids"].shape[1]
    assert read_json(undisturbed / "weights" / "config.json")["dtype"] == "float32"


def test_tokenizer_and_template_are_the_bases_own(undisturbed, base):
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (undisturbed / "weights" / name).read_bytes() == (base.parent / "weights" / name).read_bytes()


def test_sidecar_and_summary(undisturbed):
    sidecar = read_json(undisturbed / "model.json.prov.json")
    assert sidecar["counts"] == {"in": 22, "out": 22, "dropped": {}, "cut_off": 0}
    assert [Path(each["path"]).name for each in sidecar["inputs"]] == ["model.json", "train.parquet"]
    summary = read_json(undisturbed / "training.json")
    assert summary["steps"] == STEPS and summary["ranks"] == 2 and len(summary["peak_memory_bytes"]) == 2
    assert summary["tokens_per_second"] > 0 and 0 < summary["trained_tokens_in_rows"] < summary["tokens_in_rows"]


def test_packed_bfloat16_training_on_one_rank_of_another_zero_stage(tmp_path, base, dataset):
    zero = {"stage": 1, "offload_optimizer": False, "offload_parameters": False}
    more = {"packing": True, "precision": "bfloat16", "zero": zero, "ranks": 1, "micro_batch": 2, "save_steps": 100}
    out = tmp_path / "student"
    code, output = finish(start(base, dataset, out, tmp_path / "work", **more))
    if "no bfloat16 instructions" in output:
        pytest.skip("this CPU has no bfloat16 instructions")
    assert code == 0, output
    summary = read_json(out / "training.json")
    assert summary["rows"] == 22 and summary["sequences"] < 22
    assert summary["tokens"] == 4 * summary["tokens_in_rows"]
    assert read_json(out / "weights" / "config.json")["dtype"] == "bfloat16"
    rows = log_of(out)
    assert rows[-1]["loss"] < rows[0]["loss"]
