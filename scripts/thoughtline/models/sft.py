"""One rank of supervised fine-tuning: TRL's SFTTrainer on DeepSpeed, started by torchrun.

`torchrun ... -m thoughtline.models.sft WORK` reads WORK/plan.json and leaves WORK/final/ (weights) and, last,
WORK/finished.json; or, asked to stop by the file WORK/stop or by SIGTERM, a checkpoint. A mistake in what it
was given is left in WORK/error.json. Heavy imports stand inside functions: the launcher imports this module too.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from ..common.errors import EXIT_BAD_INPUT, UserError
from ..common.files import read_json, write_json
from . import order, universal
from .checkpoints import mark_complete
from .configure import attention, check_steps, sft_arguments
from .conversation import read_conversations
from .encode import IGNORED, encode_all

PLAN, ERROR, CRASH, STOP = "plan.json", "error.json", "crash.txt", "stop"
STEPS, SEGMENTS, RUN, FINAL, FINISHED = "steps.jsonl", "segments.jsonl", "run", "final", "finished.json"
"""Names in the work folder; RUN holds the checkpoints."""


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it dies, so that no rank outlives its job (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end a reply: those of the generation config and of the tokenizer."""
    given = model.generation_config.eos_token_id if model.generation_config else None
    ids = set(given if isinstance(given, list) else [given]) | {tokenizer.eos_token_id}
    return sorted(each for each in ids if each is not None)


def score_replies_only(model: Any) -> None:
    """Make `model(..., labels=labels)` return the summed loss of the trained tokens, projecting no other position.

    SFTTrainer's own fused head does so with Triton only; on CPU it projects every position, and back again in float32.
    """
    import torch

    def forward(labels: Any, **inputs: Any) -> Any:
        hidden = model.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        trained = targets != IGNORED
        logits = model.get_output_embeddings()(hidden[trained])
        return torch.nn.functional.cross_entropy(logits.float(), targets[trained], reduction="sum")

    model.forward = forward


def note(work: Path, **row: Any) -> None:
    """Add a row to WORK/steps.jsonl, which the launcher reads."""
    with open(work / STEPS, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({**row, "time": time.time()}) + "\n")


def trainer_class() -> Any:
    """SFTTrainer with an order of rows that no number of ranks changes, whole checkpoints and a lean loss on CPU."""
    from datasets import Dataset, concatenate_datasets
    from trl import SFTTrainer

    class Trainer(SFTTrainer):
        def __init__(self, work: Path, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.work, args, rows = work, self.args, self.train_dataset
            # Of each sequence, fillers left out.
            self.lengths = [len(ids) for ids in rows["input_ids"]]
            self.global_batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
            extra = order.fillers(len(rows), args.per_device_train_batch_size, args.world_size)
            if extra:
                one = order.filler(rows[0]["input_ids"][0])
                filling = {name: [one[name]] * extra for name in rows.column_names}
                self.train_dataset = concatenate_datasets([rows, Dataset.from_dict(filling, features=rows.features)])
            if args.use_cpu:
                score_replies_only(self.model)

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            rows = len(self.lengths)
            steps = -(-rows // self.global_batch)
            extra = len(self.train_dataset) - rows
            return order.sampler(rows, extra, self.args.data_seed, lambda: self.state.global_step // steps)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            if not self.args.use_cpu:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            wanted = ("input_ids", "attention_mask", "position_ids", "labels")
            loss = model(**{key: inputs[key] for key in wanted if key in inputs})
            # DeepSpeed averages gradients over ranks, while num_items_in_batch counts the tokens of all of them.
            return loss * self.accelerator.num_processes / num_items_in_batch

        def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
            optimizer = super().create_optimizer(*args, **kwargs)
            self.weight_decays = [group["weight_decay"] for group in optimizer.param_groups]
            return optimizer

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
            super()._load_optimizer_and_scheduler(checkpoint)
            if checkpoint:
                universal.mend_loaded(self.deepspeed.optimizer.optimizer, self.weight_decays)

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """None: the artifact's facts stand in model.json and the report."""

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            """A checkpoint holds DeepSpeed's shards; consolidated weights are written once, at the end."""
            os.makedirs(output_dir or self.args.output_dir, exist_ok=True)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                mark_complete(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
                note(self.work, saved=self.state.global_step)

    return Trainer


def control_callback(work: Path, save_steps: int, save_first: bool) -> Any:
    """Saves every `save_steps`, stops all ranks at the same step when asked to, and shows progress in WORK/steps.jsonl.

    With `save_first` it saves after the first step too, so that the launcher knows how long a checkpoint takes. Only
    rank 0, which runs beside the launcher, looks for the file WORK/stop: other nodes may see it late.
    """
    import torch
    from transformers import TrainerCallback

    class Control(TrainerCallback):
        def __init__(self) -> None:
            self.terminated, self.steps = False, 0
            signal.signal(signal.SIGTERM, self._terminate)

        def _terminate(self, *_: Any) -> None:
            self.terminated = True

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            asked = self.terminated or (state.is_world_process_zero and (work / STOP).exists())
            stop = torch.tensor(float(asked), device=args.device)
            torch.distributed.all_reduce(stop, op=torch.distributed.ReduceOp.MAX)
            ended = state.global_step >= state.max_steps
            self.steps += 1
            if bool(stop) and not ended:
                control.should_save = control.should_training_stop = True
            elif (state.global_step % save_steps == 0 or (save_first and self.steps == 1)) and not ended:
                control.should_save = True

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                note(work, step=state.global_step, steps=state.max_steps, loss=logs["loss"])

    return Control()


def log_rows(history: list[dict[str, Any]], lengths: list[int], global_batch: int, seed: int) -> list[dict[str, Any]]:
    """The trainer's log as rows of training.jsonl: step, epoch, loss, learning_rate, grad_norm, tokens seen so far.

    Args:
        lengths: tokens of each sequence.
        global_batch: sequences of a step.
        seed: of their order.
    """
    kept = [row for row in history if "loss" in row]
    tokens = order.tokens_seen(lengths, global_batch, seed, max((row["step"] for row in kept), default=0))
    return [
        {
            **{key: row.get(key) for key in ("step", "loss", "learning_rate", "grad_norm")},
            "epoch": order.epochs_seen(len(lengths), global_batch, row["step"]),
            "tokens": tokens[row["step"] - 1],
        }
        for row in kept
    ]


def write_weights(trainer: Any, base: Path, folder: Path) -> None:
    """Write the consolidated weights beside the base's own config, tokenizer and chat template (called on every rank)."""
    state = trainer.accelerator.get_state_dict(trainer.deepspeed)
    if not trainer.args.should_save:
        return
    shutil.rmtree(folder, ignore_errors=True)
    scratch = folder / "scratch"
    trainer.accelerator.unwrap_model(trainer.deepspeed).save_pretrained(scratch, state_dict=state)
    for path in [*scratch.glob("*.safetensors"), *scratch.glob("*.safetensors.index.json")]:
        path.rename(folder / path.name)
    shutil.rmtree(scratch)
    for path in base.iterdir():
        if path.is_file() and ".safetensors" not in path.name:
            shutil.copyfile(path, folder / path.name)
    config = read_json(base / "config.json")
    config.pop("torch_dtype", None)
    write_json(folder / "config.json", {**config, "dtype": str(trainer.model.dtype).removeprefix("torch.")})


def peak_memory(device: str) -> list[int]:
    """The most memory that each rank used so far, in bytes: of the process on CPU, of the GPU otherwise."""
    import torch

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(found, own if device == "cpu" else torch.cuda.max_memory_allocated())
    return found


def train(plan: dict[str, Any], work: Path) -> None:
    """Train, from the plan's checkpoint where it names one, and leave the result in `work`."""
    began = time.time()
    import deepspeed
    import deepspeed.ops
    import torch

    # Nothing is compiled at first use: the only one asked for, a shared-memory all-reduce for inference, is never called.
    deepspeed.ops.__compatible_ops__ = {}
    torch.set_num_threads(plan["threads"])
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
    from trl import SFTConfig

    settings, device = plan["settings"], plan["device"]
    # DeepSpeed's own group must be there first: ZeRO-3 loads the model in shards, and else takes the number of ranks for 1.
    deepspeed.init_distributed()
    args = SFTConfig(**sft_arguments(settings, str(work / RUN), device, plan["ranks"], plan["universal"]))
    set_seed(settings["seed"])
    base = Path(plan["base"])
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=getattr(torch, settings["precision"]), attn_implementation=attention(settings, device)
    )
    dataset = Path(plan["dataset"])
    rows, counts = encode_all(
        tokenizer, read_conversations(dataset), end_tokens(model, tokenizer), settings["max_length"], str(dataset)
    )
    trainer = trainer_class()(
        work,
        model=model,
        args=args,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        callbacks=[control_callback(work, settings["save_steps"], plan["save_first"])],
    )
    sequences = len(trainer.lengths)
    check_steps(settings, sequences, order.steps_of(sequences, trainer.global_batch, settings["epochs"]))
    loaded = time.time()
    trainer.train(resume_from_checkpoint=plan["checkpoint"])
    trained, state = time.time(), trainer.state
    stopped = state.global_step < state.max_steps
    if not stopped:
        write_weights(trainer, base, work / FINAL)
    peaks = peak_memory(device)
    if args.should_save:
        first = int(plan["checkpoint"].rpartition("-")[2]) if plan["checkpoint"] else 0
        segment = {
            "first_step": first,
            "last_step": state.global_step,
            "load_seconds": loaded - began,
            "train_seconds": trained - loaded,
            "save_seconds": time.time() - trained,
            "peak_memory_bytes": peaks,
            "ranks": plan["ranks"],
            "nodes": plan["nodes"],
        }
        with open(work / SEGMENTS, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(segment) + "\n")
        if not stopped:
            facts = {
                **counts,
                "steps": state.global_step,
                "epochs": order.epochs_seen(sequences, trainer.global_batch, state.global_step),
                "sequences": sequences,
                "tokens_in_rows": sum(len(row["input_ids"]) for row in rows),
                "trained_tokens_in_rows": sum(label != IGNORED for row in rows for label in row["labels"]),
            }
            log = log_rows(state.log_history, trainer.lengths, trainer.global_batch, settings["seed"])
            write_json(work / FINISHED, {"log": log, "facts": facts})


def main() -> None:
    """Entry point of a rank."""
    die_with_parent()
    faulthandler.enable()  # a crash in native code shows where in the log
    work = Path(sys.argv[1])
    try:
        train(read_json(work / PLAN), work)
    except UserError as error:
        write_json(work / ERROR, {"where": error.where, "what": error.what, "right": error.right})
        sys.exit(EXIT_BAD_INPUT)
    except Exception:
        with contextlib.suppress(FileExistsError), open(work / CRASH, "x", encoding="utf-8") as stream:
            stream.write(traceback.format_exc())
        raise
    leave()


def leave() -> None:
    """End this rank, once all ranks are done, without tearing down what native libraries keep in threads.

    A rank that unwinds while another closes its connections has been seen to abort, seldom, after all was written; torchrun
    takes that for the failure of all.
    """
    import torch

    torch.distributed.barrier()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
