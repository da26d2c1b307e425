"""The loss on CPU equals the model's own, padded or packed, and packed rows do not see one another."""

from __future__ import annotations

import pytest
import torch
from conftest import TEMPLATE  # noqa: F401  (skips this file where torch is missing)
from thoughtline.models.sft import log_rows, score_replies_only
from transformers import AutoModelForCausalLM
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

ROWS = [
    {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 7, 8, 9]},
    {"input_ids": [11, 12, 13], "labels": [-100, 12, 13]},
    {"input_ids": [21, 22, 23, 24, 25, 26, 27], "labels": [-100, -100, -100, -100, 25, 26, 27]},
]


def load(folder, attention="sdpa"):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention).eval()


@pytest.fixture(scope="module")
def expected(model_folder) -> float:
    """The summed loss of each row alone, by the model's own forward."""
    model = load(model_folder)
    total = 0.0
    for row in ROWS:
        labels = torch.tensor([row["labels"]])
        total += model(input_ids=torch.tensor([row["input_ids"]]), labels=labels).loss.item() * int(
            (labels != -100).sum()
        )
    return total


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("packed", [False, True])
def test_loss_of_a_batch_is_the_sum_over_its_rows(model_folder, expected, packed, attention):
    model = load(model_folder, attention)
    score_replies_only(model)
    inputs = DataCollatorForLanguageModeling(pad_token_id=2, padding_free=packed)(ROWS)
    wanted = ("input_ids", "attention_mask", "position_ids", "labels")
    loss = model(**{key: inputs[key] for key in wanted if key in inputs})
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_log_rows_keep_what_is_reproducible():
    step = {"step": 1, "epoch": 0.4999, "loss": 2.0, "learning_rate": 0.1, "grad_norm": 1.0}
    history = [{**step, "train_runtime": 12.3}, {"step": 1, "train_loss": 2.0}]
    (row,) = log_rows(history, [4, 4, 4, 4], global_batch=2, seed=1)
    assert row == {"step": 1, "epoch": 0.5, "loss": 2.0, "learning_rate": 0.1, "grad_norm": 1.0, "tokens": 8}
    assert log_rows([], [4], global_batch=2, seed=1) == []
