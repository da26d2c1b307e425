"""A hub on this machine, with a small model and a small data set."""

from __future__ import annotations

import random

import pytest
from hub_service import REVISION, Hub
from thoughtline.common.deadline import Deadline
from thoughtline.stage.fetch import fetch
from thoughtline.stage.needs import of_model, of_source

CARD = b"---\nlicense: apache-2.0\nconfigs:\n- config_name: default\n  data_files: data/*\n---\nA card.\n"
MODEL = {"id": "owner/tiny", "revision": REVISION}
DATA = {"id": "owner/rows", "revision": REVISION, "config": None, "split": "train", "data_files": None}
FIRST = "model-00001-of-00002.safetensors"
SECOND = "model-00002-of-00002.safetensors"


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def hub(monkeypatch):
    with Hub() as service:
        service.add("model", "owner/tiny", {
            "README.md": CARD, "config.json": b"{}", "tokenizer.json": b"{}", "tokenizer_config.json": b"{}",
            FIRST: noise(1, 300_000), SECOND: noise(2, 50_000),
            "model.safetensors.index.json": b"{}", "consolidated.safetensors": noise(3, 350_000),
            "pytorch_model.bin": noise(4, 350_000), "original/model.pth": noise(5, 5000), "modeling_tiny.py": b"raise SystemExit",
        })  # fmt: skip
        service.add("dataset", "owner/rows", {
            "README.md": CARD, "data/train-0.parquet": noise(6, 20_000), "data/train-1.parquet": noise(7, 20_000),
            "data/test.jsonl": b'{"problem": "p"}\n', "picture.png": noise(8, 100),
        })  # fmt: skip
        monkeypatch.setenv("HF_ENDPOINT", service.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield service


@pytest.fixture
def stage(tmp_path):
    return tmp_path / "stage"


@pytest.fixture
def get(stage):
    """Fetch a model or a source of questions by function."""

    def run(place, deadline=None, connections=4):
        need = of_source(place) if "split" in place else of_model(place)
        return fetch(need, stage, need.work(stage), connections, deadline or Deadline())

    return run


@pytest.fixture
def impatient(monkeypatch):
    """No long waits between attempts."""
    for module in ("transfer", "hub"):
        monkeypatch.setattr(f"thoughtline.stage.{module}.pause", lambda headers, attempt: 0.01)
