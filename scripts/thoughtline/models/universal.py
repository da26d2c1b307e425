"""A checkpoint in DeepSpeed's universal form, which any number of ranks can load.

`python -m thoughtline.models.universal CHECKPOINT FOLDER`, started by train.py where a checkpoint was written by another number of
ranks than shall go on. DeepSpeed shards optimiser state by rank; the universal form has one file a parameter instead.
"""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from ..common.files import atomic_directory

WORKERS = 4
"""Processes that read shards, each holding one at a time."""


def convert(checkpoint: Path, folder: Path) -> None:
    """Write `folder`/NAME, the universal form of the checkpoint NAME, in place of whatever is in `folder`.

    Args:
        checkpoint: a whole checkpoint as the trainer wrote it; it stays as it is.
        folder: made anew. Needs as much room as the checkpoint, for a while twice that.
    """
    from deepspeed.checkpoint.ds_to_universal import main as ds_to_universal

    (state,) = (path for path in checkpoint.glob("global_step*") if path.is_dir())
    with atomic_directory(folder) as part:
        target = part / checkpoint.name
        target.mkdir()
        ds_to_universal(
            Namespace(
                input_folder=str(state),
                output_folder=str(target / state.name),
                num_extract_workers=WORKERS,
                num_merge_workers=WORKERS // 2,
                keep_temp_folder=False,
                strict=True,
                # Stages 1 and 2 leave out a description that only pipeline or tensor parallel models need.
                inject_missing_state=True,
            )
        )
        for path in checkpoint.iterdir():
            if path.is_file() and path.name != "latest":
                shutil.copyfile(path, target / path.name)


def mend_loaded(optimizer: Any, weight_decays: list[float]) -> None:
    """Undo what loading a universal checkpoint under ZeRO-3 does wrong to the optimiser (DeepSpeed 0.19.8).

    All parameter groups get one and the same step tensor, which AdamW, counting in place, would raise once a group and step; and
    all get the hyperparameters of the first group, so that norms and biases would decay too. Does nothing to a sound optimiser.

    Args:
        optimizer: torch's own, inside DeepSpeed's.
        weight_decays: of its groups.
    """
    for state in optimizer.state.values():
        if hasattr(state.get("step"), "clone"):
            state["step"] = state["step"].clone()
    for group, decay in zip(optimizer.param_groups, weight_decays, strict=True):
        group["weight_decay"] = decay


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
