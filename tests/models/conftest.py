"""A tiny but real model (0.3M parameters, tokenizer trained here) and a tiny dataset."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="needs the train environment")

TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are Tiny.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""Like SmolLM2's: a default system message, no generation markers, a newline after the end token."""

WORDS = (
    "add", "the", "two", "numbers", "then", "say", "what", "you", "get", "so", "answer", "is", "sum", "of", "digits",
    "one", "three", "four", "five", "six", "seven",
)  # fmt: skip
ROWS = pa.schema(
    [
        ("system", pa.string()),
        ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
    ]
)


def sentence(rng: random.Random, low: int, high: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high)))


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("user", "assistant")[n % 2], "value": text} for n, text in enumerate(texts)]


def write_dataset(folder: Path, rows: list[dict]) -> Path:
    (folder / "default").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), folder / "default" / "train.parquet")
    return folder


def make_tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    rng = random.Random(0)
    raw.train_from_iterator([sentence(rng, 5, 20) + "\n\n" for _ in range(50)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        chat_template=TEMPLATE,
    )


@pytest.fixture(scope="session")
def tokenizer():
    return make_tokenizer()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, tokenizer) -> Path:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("published") / "tiny"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory, model_folder) -> Path:
    """model.json of the tiny model, fetched from its folder."""
    out = tmp_path_factory.mktemp("results") / "models" / "tiny"
    fetched(fetch_settings(local={"path": str(model_folder)}), out)
    return out / "model.json"


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    rng = random.Random(1)
    rows = [{"system": None, "conversations": turns(sentence(rng, 5, 12), sentence(rng, 5, 25))} for _ in range(22)]
    return write_dataset(tmp_path_factory.mktemp("results") / "datasets" / "sums", rows)


def fetched(settings: dict, out: Path, stage: Path = Path("no-stage")) -> dict:
    """The model.json of a fetch by function."""
    from thoughtline.common.deadline import Deadline
    from thoughtline.models.fetch import fetch

    return fetch(settings, out, stage, Deadline())


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, base, dataset) -> Path:
    """The folder of a student that two ranks trained without interruption."""
    from training_run import train

    folder = tmp_path_factory.mktemp("undisturbed")
    train(base, dataset, folder / "student", folder / "work")
    assert not (folder / "work").exists()
    return folder / "student"


@pytest.fixture(scope="session")
def stopped(tmp_path_factory, base, dataset) -> Path:
    """The work folder of two ranks that SIGTERM has stopped in their second epoch; tests go on with copies of it."""
    from training_run import stop_after

    folder = tmp_path_factory.mktemp("stopped")
    assert stop_after(7, base, dataset, folder, soon=False) >= 7
    assert not (folder / "student" / "model.json").exists()
    return folder / "work"


def fetch_settings(**more) -> dict:
    plain = {"model": "tiny", "hub": None, "package": None, "local": None, "licence": "CC0-1.0", "credit": "the tests"}
    return {**plain, "context_length": 256, "code": "0", "environment": {"lock": "0"}, **more}


def train_settings(**more) -> dict:
    plain = {
        "model": "student", "base": "tiny", "method": "sft", "dataset": "sums", "epochs": 4.0, "learning_rate": 1e-3,
        "schedule": "cosine", "min_learning_rate_ratio": 0.1, "warmup_ratio": 0.1, "global_batch": 4, "micro_batch": 1,
        "max_length": 128, "packing": False, "optimizer": "adamw", "betas": [0.9, 0.999], "epsilon": 1e-8,
        "weight_decay": 0.01, "max_grad_norm": 1.0, "precision": "float32", "gradient_checkpointing": False, "seed": 7,
        "save_steps": 3, "zero": {"stage": 3, "offload_optimizer": False, "offload_parameters": False}, "ranks": 2,
        "code": "0", "environment": {"lock": "0"},
    }  # fmt: skip
    return {**plain, **more}


def as_option(settings: dict) -> str:
    return json.dumps(settings)
