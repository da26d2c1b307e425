"""Models of Qwen2.5's shapes with random weights, for speed where no weights can be had.

`python -m bench.gpu.shapes qwen2.5-3b --tokenizer SMALL_MODEL.json --out FOLDER [--weights]` writes FOLDER/model.json. Without --weights
there is a config only, which vLLM serves with its load format `dummy`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from thoughtline.common.files import read_json, write_json
from thoughtline.models.artifact import content_revision, file_hashes
from thoughtline.plan.architecture import known

CONTEXT = 32768


def config_of(shape: str, vocabulary: int | None) -> dict[str, Any]:
    """config.json of a shape of plan/architectures.yaml; `vocabulary` in place of its own, where given."""
    found = known()[shape]
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "attention_dropout": 0.0,
        "use_cache": True,
        "torch_dtype": "bfloat16",
        "hidden_size": found.hidden,
        "num_hidden_layers": found.layers,
        "num_attention_heads": found.heads,
        "num_key_value_heads": found.kv_heads,
        "intermediate_size": found.intermediate,
        "tie_word_embeddings": found.tied,
        "vocab_size": vocabulary or found.vocabulary,
    }


def write_weights(folder: Path) -> None:
    """Random weights for the config of `folder`, bfloat16, seed 0."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.bfloat16)
    model.save_pretrained(folder)


def make(shape: str, tokenizer: Path, out: Path, weights: bool) -> Path:
    """Write OUT/model.json and OUT/weights/; returns the former."""
    folder = out / "weights"
    shutil.rmtree(out, ignore_errors=True)
    folder.mkdir(parents=True)
    given = read_json(tokenizer)
    other = tokenizer.parent / given["weights"]
    for path in other.iterdir():
        if path.is_file() and ".safetensors" not in path.name and path.name != "config.json":
            shutil.copyfile(path, folder / path.name)
    # What random weights write must be in the tokenizer; trained on are the tokenizer's own only.
    vocabulary = None if weights else read_json(other / "config.json")["vocab_size"]
    write_json(folder / "config.json", config_of(shape, vocabulary))
    if weights:
        kept = read_json(folder / "config.json")
        write_weights(folder)
        write_json(folder / "config.json", kept)
    files = file_hashes(folder)
    write_json(
        out / "model.json",
        {
            "name": shape,
            "revision": content_revision(files),
            "kind": "random",
            "weights": "weights",
            "files": files,
            "licence": "none",
            "credit": f"random weights in the shape of {shape}",
            "context_length": CONTEXT,
        },
    )
    return out / "model.json"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=sorted(name for name in known() if name.startswith("qwen2.5-")))
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="MODEL.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", action="store_true")
    args = parser.parse_args()
    print(make(args.shape, args.tokenizer, args.out, args.weights))


if __name__ == "__main__":
    main()
