"""Candidates, and a whole recipe's row files, made of a few words."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from thoughtline.common.canonical import canonical_json
from thoughtline.common.rows import QUESTIONS, TRACES, VERDICTS, question_id, trace_id, write_rows
from thoughtline.datasets.candidates import Candidate
from tokenizers import Tokenizer, models, pre_tokenizers

# The same examples each time, and no verdict on how busy the machine is.
hypothesis_settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis_settings.load_profile("steady")

TRACE_STATUS = {"T": "truncated", "F": "failed", "R": "refused"}
VERDICT_STATUS = {"C": "correct", "U": "unverified", "P": "unparsed", "E": "error"}


def make_candidate(
    question: str = "q", sample: int = 0, code: str = "C", domain: str = "math", **fields: Any
) -> Candidate:
    """A candidate by one letter: Correct, Wrong, Truncated, Failed, Refused, Unverified, unParsed, Error, No response."""
    values = {
        "trace_id": f"{question}.{sample}",
        "question_id": question,
        "sample": sample,
        "domain": domain,
        "source": "s",
        "run": "teacher",
        "set": "set",
        "status": TRACE_STATUS.get(code, "finished"),
        "verdict": VERDICT_STATUS.get(code, "incorrect"),
        "has_response": code not in "NF",
        "file": 0,
        "text": f"{question}.{sample}",
    }
    return Candidate(**(values | fields))


@pytest.fixture
def candidate():
    return make_candidate


class Folder:
    """Row files under a folder, as the pipeline lays them out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.questions: list[Path] = []
        self.traces: list[Path] = []
        self.verdicts: list[Path] = []

    def question(self, domain: str, problem: str, **fields: Any) -> dict[str, Any]:
        row = dict.fromkeys(QUESTIONS.names) | {"domain": domain, "source": f"{domain}_source", "problem": problem}
        row |= {"answer": "42", "metadata": "{}"} | fields
        return row | {"question_id": question_id(domain, problem or "", row["choices"])}

    def question_file(self, name: str, rows: list[dict[str, Any]], shard: str = "0000") -> Path:
        path = self.root / f"questions/{name}/{shard}.parquet"
        write_rows(path, rows, QUESTIONS, ["question_id"])
        return path

    def answered(
        self, name: str, asked: list[tuple[dict[str, Any], str]], run: str = "teacher", shard: str = "0000"
    ) -> None:
        """Add questions of a set, each with one trace for each letter (see make_candidate)."""
        traces, verdicts = [], []
        for question, letters in asked:
            for sample, code in enumerate(letters):
                one = make_candidate(question["question_id"], sample, code)
                identity = trace_id(question["question_id"], [], run, {}, sample)
                traces.append(
                    dict.fromkeys(TRACES.names)
                    | {
                        "trace_id": identity,
                        "question_id": one.question_id,
                        "sample": sample,
                        "seed": 0,
                        "messages": "[]",
                    }
                    | {"status": one.status, "reasoning": f"Thinking {sample} about it."}
                    | {
                        "response": f"Answer {sample} of {one.question_id[:6]}."
                        if one.has_response
                        else None
                        if code == "F"
                        else " \n"
                    }
                )
                verdicts.append(
                    {"trace_id": identity, "question_id": one.question_id, "sample": sample, "status": one.verdict}
                    | {
                        "reason": "",
                        "answer": None,
                        "verifier": "exact",
                        "fingerprint": "f",
                        "evidence": "{}",
                        "measures": "{}",
                    }
                )
        path = self.question_file(name, [question for question, _ in asked], shard)
        self.questions += [path] if path not in self.questions else []
        for kind, rows, schema in (("traces", traces, TRACES), ("verdicts", verdicts, VERDICTS)):
            path = self.root / f"{kind}/{run}/{name}/{shard}.parquet"
            write_rows(path, rows, schema, ["trace_id"])
            getattr(self, kind).append(path)

    def arguments(self, settings: dict[str, Any], out: Path, *more: Any) -> list[str]:
        lists = {"--questions": self.questions, "--traces": self.traces, "--verdicts": self.verdicts}
        words: list[Any] = ["assemble", "--settings", canonical_json(settings), "--out", out]
        for option, paths in lists.items():
            words += [option, *paths]
        return [str(word) for word in (*words, *more)]


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def settings():
    """recipe.settings.datasets() of a small recipe."""
    plain = {"system": None, "template": "{{ problem }}", "examples": [{"problem": "EXAMPLE", "response": "shown"}]}
    domains = ("math", "code", "science", "puzzle")
    return {
        "dataset": "verified",
        "recipe": "tiny",
        "traces": ["teacher"],
        "keep": "first_correct",
        "keep_unverified": False,
        "same_questions_as": None,
        "near_duplicates": None,
        "decontaminate": None,
        "decontaminate_against": [],
        "mixture": None,
        "max_tokens": None,
        "tokenizer": None,
        "prompt": "plain",
        "prompts": dict.fromkeys(domains, plain) | {"puzzle": {**plain, "system": "Think."}},
        "format": "think",
        "sources": {
            f"{domain}_source": {"licence": "MIT" if domain == "math" else "our own | words", "credit": "us"}
            for domain in domains
        },
        "teachers": {"big": {"licence": "apache-2.0", "credit": "its makers"}},
        "seed": 7,
        "code": "c0de",
        "environment": {"lock": "f"},
    }


CHAT = "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}{{ eos_token }}\n{% endfor %}"


@pytest.fixture
def word_model(tmp_path):
    """A model whose tokens are words, and which was saved with a truncation that must not count."""
    weights = tmp_path / "models/words/weights"
    weights.mkdir(parents=True)
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=40)
    tokenizer.save(str(weights / "tokenizer.json"))
    config = {"chat_template": CHAT, "eos_token": {"content": " END"}}
    (weights / "tokenizer_config.json").write_text(json.dumps(config))
    manifest = weights.parent / "model.json"
    manifest.write_text(json.dumps({"name": "words", "weights": "weights"}))
    return SimpleNamespace(manifest=manifest, weights=weights, config=config)
