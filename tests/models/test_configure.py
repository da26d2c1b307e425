"""The recipe's training stage, field by field, in TRL's and DeepSpeed's words."""

from __future__ import annotations

import pytest
from conftest import train_settings
from thoughtline.common.errors import UserError
from thoughtline.models import order
from thoughtline.models.configure import (
    accumulation_steps,
    attention,
    check_steps,
    deepspeed_config,
    schedule,
    sft_arguments,
)


def test_gradients_are_accumulated_up_to_the_global_batch():
    assert accumulation_steps(train_settings(global_batch=96, micro_batch=1), 8) == 12
    assert accumulation_steps(train_settings(global_batch=8, micro_batch=8), 1) == 1


@pytest.mark.parametrize(
    ("kind", "floor", "expected"),
    [
        ("cosine", 0.0, {"lr_scheduler_type": "cosine"}),
        ("cosine", 0.1, {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1}}),
        ("linear", 0.0, {"lr_scheduler_type": "linear"}),
        ("constant", 0.0, {"lr_scheduler_type": "constant_with_warmup"}),
    ],
)
def test_schedule(kind, floor, expected):
    assert schedule(train_settings(schedule=kind, min_learning_rate_ratio=floor)) == expected


def test_every_hyperparameter_reaches_the_trainer():
    settings = train_settings(
        epochs=3.0, learning_rate=1e-5, warmup_ratio=0.05, micro_batch=2, ranks=1, betas=[0.8, 0.95], epsilon=1e-6,
        weight_decay=0.1, max_grad_norm=0.2, precision="bfloat16", gradient_checkpointing=True, seed=11,
    )  # fmt: skip
    got = sft_arguments(settings, "folder", "cpu", 1)
    expected = {
        "output_dir": "folder", "num_train_epochs": 3.0, "learning_rate": 1e-5, "warmup_steps": 0.05,
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "adam_beta1": 0.8, "adam_beta2": 0.95,
        "adam_epsilon": 1e-6, "weight_decay": 0.1, "max_grad_norm": 0.2, "bf16": True, "gradient_checkpointing": True,
        "seed": 11, "data_seed": 11, "use_cpu": True, "packing": False, "max_length": None,
    }  # fmt: skip
    assert {key: got[key] for key in expected} == expected


def test_packing_needs_the_length():
    got = sft_arguments(train_settings(packing=True, max_length=64), "folder", "cuda", 2)
    assert (got["packing"], got["max_length"]) == (True, 64)
    assert sft_arguments(train_settings(), "folder", "cuda", 2)["max_length"] is None
    assert not got["use_cpu"]


def test_deepspeed_stage_precision_and_offloading():
    plain = deepspeed_config(train_settings(), "cpu")
    assert plain["zero_optimization"]["stage"] == 3 and not plain["bf16"]["enabled"]
    assert "offload_optimizer" not in plain["zero_optimization"]
    zero = {"stage": 3, "offload_optimizer": True, "offload_parameters": True}
    full = deepspeed_config(train_settings(zero=zero, precision="bfloat16"), "cuda")
    assert full["bf16"]["enabled"]
    assert full["zero_optimization"]["offload_optimizer"] == {"device": "cpu", "pin_memory": True}
    assert full["zero_optimization"]["offload_param"] == {"device": "cpu", "pin_memory": True}
    second = deepspeed_config(train_settings(zero={**zero, "stage": 2}), "cpu")["zero_optimization"]
    assert "stage3_gather_16bit_weights_on_model_save" not in second and "offload_param" not in second


def test_trl_and_the_scheduler_take_these_arguments(tmp_path):
    """SFTConfig accepts each name (without DeepSpeed, which wants a process group)."""
    from trl import SFTConfig

    arguments = sft_arguments(train_settings(), str(tmp_path), "cpu", 1)
    del arguments["deepspeed"]
    config = SFTConfig(**arguments)
    assert config.get_warmup_steps(100) == 10
    assert not config.gradient_checkpointing and not config.bf16


def test_plain_attention_only_for_short_rows_on_cpu():
    assert attention(train_settings(max_length=512), "cpu") == "eager"
    assert attention(train_settings(max_length=16384), "cpu") == "sdpa"
    assert attention(train_settings(max_length=512), "cuda") == "sdpa"


def learning_rates(settings, steps, folder):
    """The learning rate of each step, by the trainer's own schedule."""
    import torch
    from transformers import get_scheduler
    from trl import SFTConfig

    arguments = sft_arguments(settings, str(folder), "cpu", 1)
    del arguments["deepspeed"]
    config = SFTConfig(**arguments)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    chosen = get_scheduler(
        config.lr_scheduler_type,
        optimizer,
        config.get_warmup_steps(steps),
        steps,
        scheduler_specific_kwargs=config.lr_scheduler_kwargs,
    )
    rates = []
    for _ in range(steps):
        rates.append(chosen.get_last_lr()[0])
        optimizer.step()
        chosen.step()
    return rates


@pytest.mark.parametrize(("kind", "floor"), [("cosine", 0.0), ("cosine", 0.1), ("linear", 0.0), ("constant", 0.0)])
@pytest.mark.parametrize("warmup", [0.0, 0.02, 0.5, 0.99])
def test_a_training_that_would_learn_nothing_is_refused_and_no_other(tmp_path, kind, floor, warmup):
    settings = train_settings(schedule=kind, min_learning_rate_ratio=floor, warmup_ratio=warmup)
    for steps in (1, 2, 3):
        if any(learning_rates(settings, steps, tmp_path)):
            check_steps(settings, steps, steps)
        else:
            with pytest.raises(UserError, match="the student would be its base"):
                check_steps(settings, steps, steps)


def test_steps_of_whole_and_of_begun_epochs():
    assert [order.steps_of(5, 2, epochs) for epochs in (1, 2, 1.5, 0.1)] == [3, 6, 5, 1]
