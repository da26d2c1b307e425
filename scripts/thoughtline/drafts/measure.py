"""How much a draft model speeds up its target: both ways of decoding, timed on the same prompts.

The questions are the sampling unit: acceptance is a ratio over questions (accepted / proposed tokens), the speed-up a geometric mean of each
question's own. Texts and acceptance are the same in each run on one kind of machine; times are what this machine took.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..common.errors import UserError
from ..common.progress import Progress
from ..common.rows import QUESTIONS, read_rows
from ..models.artifact import read_model
from ..scores.statistics import ratio, standard_error, student_t
from ..traces.prompts import messages_of
from .speculate import alone, speculate

WARM_UP = 8
"""Tokens that both models write before anything is timed."""


def chosen(paths: Sequence[Path], limit: int) -> list[dict[str, Any]]:
    """The first `limit` questions of each set by question_id; a set is the folder of its files."""
    by_set: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        by_set.setdefault(path.parent.name, []).extend(read_rows(path, QUESTIONS))
    return [row for rows in by_set.values() for row in sorted(rows, key=lambda row: row["question_id"])[:limit]]


def check_vocabularies(target: Any, draft: Any, names: tuple[str, str]) -> None:
    """Refuse models that number tokens in different ways.

    Raises:
        UserError: they do.
    """
    one, other = target.get_vocab(), draft.get_vocab()
    differing = sorted(token for token in one.keys() & other.keys() if one[token] != other[token])
    if differing or len(one.keys() & other.keys()) < min(len(one), len(other)):
        raise UserError(
            f"drafts: {names[1]}",
            f"has another tokenizer than {names[0]}",
            "a draft must share its target's vocabulary",
        )


def load(manifest: Path, dtype: str) -> Any:
    """A model's weights, on all GPUs there are, else on the CPU."""
    folder = read_model(manifest)["folder"]
    placed = {"device_map": "auto"} if torch.cuda.is_available() else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **placed).eval()


def ends_of(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a reply."""
    given = model.generation_config.eos_token_id
    known = given if isinstance(given, list) else [given]
    return {token for token in [*known, tokenizer.eos_token_id] if token is not None}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and seconds."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Acceptance, tokens a pass of the target, speeds and the speed-up with 95 % intervals over questions.

    Args:
        rows: one a question: tokens, proposed, accepted, passes, seconds_alone, seconds, identical.
    """
    proposing = [(row["accepted"], row["proposed"]) for row in rows if row["proposed"]]
    passing = [(row["tokens"], row["passes"]) for row in rows]
    logs = [math.log(row["seconds_alone"] / row["seconds"]) for row in rows]
    middle, error = fmean(logs), standard_error(logs)
    half = student_t(len(logs) - 1) * error if error is not None else None
    tokens = sum(row["tokens"] for row in rows)
    return {
        "questions": len(rows),
        "tokens": tokens,
        "acceptance": ratio(proposing, (0, 1)) if proposing else None,
        "tokens_per_pass": sum(count for count, _ in passing) / sum(passes for _, passes in passing),
        "tokens_per_second_alone": tokens / sum(row["seconds_alone"] for row in rows),
        "tokens_per_second": tokens / sum(row["seconds"] for row in rows),
        "speed_up": {
            "mean": math.exp(middle),
            "interval": None if half is None else [math.exp(middle - half), math.exp(middle + half)],
        },
        "identical": fmean(row["identical"] for row in rows),
    }


def measure(
    settings: dict[str, Any], target_json: Path, draft_json: Path, questions: Sequence[Path], check: Callable[[], None]
) -> dict[str, Any]:
    """The summary, with `by_question`.

    Args:
        settings: recipe.settings.drafts.
        check: called before each question; raises when the job must stop.

    Raises:
        UserError: the models have different vocabularies, or there is no question.
    """
    rows = chosen(questions, settings["limit"])
    if not rows:
        raise UserError("--questions", "have no rows", "give question files")
    tokenizers = [AutoTokenizer.from_pretrained(read_model(path)["folder"]) for path in (target_json, draft_json)]
    check_vocabularies(*tokenizers, (settings["target"], settings["draft"]))
    target = load(target_json, settings["target_dtype"])
    draft = load(draft_json, settings["draft_dtype"])
    tokenizer, ends = tokenizers[0], ends_of(target, tokenizers[0])
    width, limit = settings["tokens"], settings["max_tokens"]
    found = []
    with Progress(len(rows), f"draft {settings['draft']} for {settings['target']}") as progress:
        for row in rows:
            check()
            messages = messages_of(settings["prompts"][row["domain"]], row)
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
            if not found:
                speculate(target, draft, prompt, width, WARM_UP, ends)
            plain, seconds_alone = timed(lambda prompt=prompt: alone(target, prompt, limit, ends))
            fast, seconds = timed(lambda prompt=prompt: speculate(target, draft, prompt, width, limit, ends))
            found.append(
                {
                    "question_id": row["question_id"],
                    "tokens": len(fast.tokens),
                    "proposed": fast.proposed,
                    "accepted": fast.accepted,
                    "passes": fast.passes,
                    "seconds_alone": seconds_alone * len(fast.tokens) / len(plain),
                    "seconds": seconds,
                    "identical": plain == fast.tokens,
                }
            )
            progress.advance()
    return {**summary(found), "by_question": found}
