"""A training stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Name, Seed, Strict


class Zero(Strict):
    """DeepSpeed ZeRO."""

    stage: Literal[1, 2, 3] = Field(3, description="ZeRO stage.")
    offload_optimizer: bool = Field(False, description="Keep optimiser state in CPU memory.")
    offload_parameters: bool = Field(False, description="Keep parameters in CPU memory (stage 3).")

    @model_validator(mode="after")
    def _divided(self) -> Zero:
        if self.offload_parameters and self.stage != 3:
            raise ValueError(
                f"offload_parameters needs stage 3: at stage {self.stage} each rank computes with all parameters; "
                "use stage 3, or do not offload them"
            )
        return self


Beta = Annotated[float, Field(ge=0, lt=1)]


class Stage(Strict):
    """One training stage."""

    method: Literal["sft"] = Field("sft", description="Supervised fine-tuning.")
    dataset: Name = Field(description="A dataset of this recipe.")
    epochs: float = Field(gt=0, le=100, description="Passes over the dataset; more than 100 are a slip.")
    learning_rate: float = Field(gt=0, lt=1, description="Peak learning rate.")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="After the warm-up.")
    min_learning_rate_ratio: float = Field(0.0, ge=0, lt=1, description="Cosine ends at this share of the peak.")
    warmup_ratio: float = Field(
        0.0, ge=0, lt=1, description="Share of the steps, rounded up to whole ones; the first has learning rate 0."
    )
    global_batch: int = Field(ge=1, description="Rows an optimiser step, over all ranks.")
    micro_batch: int = Field(1, ge=1, description="Rows a rank holds at once.")
    max_length: int = Field(ge=8, description="Cutoff in tokens.")
    packing: bool = Field(False, description="Pack rows into full sequences.")
    optimizer: Literal["adamw"] = Field("adamw", description="AdamW.")
    betas: tuple[Beta, Beta] = Field((0.9, 0.999), description="AdamW's betas.", strict=False)
    epsilon: float = Field(1e-8, gt=0, description="AdamW's epsilon.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradient clipping.")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="Training precision.")
    gradient_checkpointing: bool = Field(False, description="Recompute activations to save memory.")
    seed: Seed = Field(42, description="Order of rows and dropout; `seeds` of the model replaces it.")
    save_steps: int = Field(100, ge=1, description="Steps between checkpoints.")
    zero: Zero | Literal["auto"] = Field(
        Zero(), description='DeepSpeed ZeRO settings, or "auto": the fastest that fit into the machine\'s GPUs.'
    )
    ranks: int = Field(1, ge=1, description="Processes the global batch is divided over.")

    @model_validator(mode="after")
    def _divisible(self) -> Stage:
        if self.global_batch % (self.micro_batch * self.ranks):
            raise ValueError(
                f"global_batch {self.global_batch} is not divisible by micro_batch x ranks = "
                f"{self.micro_batch} x {self.ranks}; choose a multiple of {self.micro_batch * self.ranks}"
            )
        return self
