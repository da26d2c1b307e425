"""A training stage of the recipe as arguments of TRL's SFTConfig and as a DeepSpeed configuration."""

from __future__ import annotations

from typing import Any

from ..common.errors import UserError

Settings = dict[str, Any]

EAGER_LENGTH = 1024
"""Longest `max_length` in tokens for plain attention on CPU."""


ZERO = ("1", "2", "3", "3+optimizer", "3+optimizer+parameters")
"""ZeRO settings that may be chosen for a machine: the stage, and what is offloaded to the CPU's memory."""


def zero_of(words: str) -> dict[str, Any]:
    """ZeRO settings as a recipe has them.

    >>> zero_of("3+optimizer")
    {'stage': 3, 'offload_optimizer': True, 'offload_parameters': False}
    """
    stage, *offloaded = words.split("+")
    return {
        "stage": int(stage),
        "offload_optimizer": "optimizer" in offloaded,
        "offload_parameters": "parameters" in offloaded,
    }


def accumulation_steps(settings: Settings, ranks: int) -> int:
    """Micro batches that each of `ranks` ranks adds up before an optimiser step."""
    return settings["global_batch"] // (settings["micro_batch"] * ranks)


def attention(settings: Settings, device: str) -> str:
    """transformers' attention implementation: "sdpa", but "eager" for short rows on CPU.

    There a step of SmolLM2-135M (bfloat16, 8 rows of about 115 tokens, one thread) took 6.4 CPU seconds with the fused kernel and
    4.8 with the plain one, whose square matrices need too much memory beyond EAGER_LENGTH.
    """
    return "eager" if device == "cpu" and settings["max_length"] <= EAGER_LENGTH else "sdpa"


def check_steps(settings: Settings, sequences: int, steps: int) -> None:
    """Refuse a training of `steps` steps, all at learning rate 0: its student would be its base.

    The warm-up rises from 0 and is rounded up to whole steps (transformers' schedules), so its first step learns nothing.

    Args:
        sequences: rows of an epoch, packed where the settings say so.

    Raises:
        UserError: there is no other step.
    """
    if steps > 1 or not settings["warmup_ratio"]:
        return
    raise UserError(
        f"training of {settings['model']} on {settings['dataset']}",
        f"{sequences} sequences, {settings['global_batch']} a step, for {settings['epochs']:g} epochs make one step, which is"
        f" the first of the warm-up (warmup_ratio {settings['warmup_ratio']:g}) and has learning rate 0: the student would"
        " be its base",
        "use a smaller global_batch, more rows or epochs, or warmup_ratio: 0",
    )


def schedule(settings: Settings) -> dict[str, Any]:
    """Learning-rate schedule; the warm-up is linear and comes out of the same steps."""
    kind, floor = settings["schedule"], settings["min_learning_rate_ratio"]
    if kind == "cosine" and floor > 0:
        return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": floor}}
    names = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
    return {"lr_scheduler_type": names[kind]}


def deepspeed_config(settings: Settings, device: str, universal: bool = False) -> dict[str, Any]:
    """DeepSpeed's JSON for `device` ("cpu" or "cuda"); batch sizes are filled in by the trainer ("auto").

    With `universal` the checkpoint to resume from is in DeepSpeed's universal form (universal.py).
    The optimiser is torch's fused AdamW, made by the trainer: it needs no extension to be compiled, not even with offloading.
    """
    zero = settings["zero"]
    memory = {"device": "cpu", "pin_memory": device != "cpu"}
    optimization: dict[str, Any] = {
        "stage": zero["stage"],
        "overlap_comm": device != "cpu",
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if zero["offload_optimizer"]:
        optimization["offload_optimizer"] = memory
    if zero["stage"] == 3:
        optimization |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
        if zero["offload_parameters"]:
            optimization["offload_param"] = memory
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "bf16": {"enabled": settings["precision"] == "bfloat16"},
        "zero_optimization": optimization,
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
        "checkpoint": {"load_universal": universal},
    }


def sft_arguments(settings: Settings, folder: str, device: str, ranks: int, universal: bool = False) -> dict[str, Any]:
    """Keyword arguments of SFTConfig. Rows come tokenised and cut off, so `max_length` matters for packing only.

    Checkpoints are written by our own rule (sft.Control), logs kept in the trainer's state, tokens counted by order.py.
    """
    return {
        "output_dir": folder,
        "num_train_epochs": settings["epochs"],
        "learning_rate": settings["learning_rate"],
        **schedule(settings),
        "warmup_steps": settings["warmup_ratio"],
        "per_device_train_batch_size": settings["micro_batch"],
        "gradient_accumulation_steps": accumulation_steps(settings, ranks),
        "max_length": settings["max_length"] if settings["packing"] else None,
        "packing": settings["packing"],
        "packing_strategy": "bfd",
        "optim": "adamw_torch_fused",
        "adam_beta1": settings["betas"][0],
        "adam_beta2": settings["betas"][1],
        "adam_epsilon": settings["epsilon"],
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "bf16": settings["precision"] == "bfloat16",
        "gradient_checkpointing": settings["gradient_checkpointing"],
        "seed": settings["seed"],
        "data_seed": settings["seed"],
        "use_cpu": device == "cpu",
        "deepspeed": deepspeed_config(settings, device, universal),
        "save_strategy": "no",
        "save_total_limit": 2,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "log_level": "error",
        "dataloader_pin_memory": device != "cpu",
    }
