"""Questions, traces and verdicts become a training set: a folder that `datasets.load_dataset` loads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.canonical import digest
from ..common.errors import UserError
from ..common.files import sha256_file, write_text
from ..common.progress import Progress
from ..common.reconcile import read_questions
from ..common.rows import QUESTIONS, read_rows, write_rows
from .candidates import Candidate, read_candidates
from .card import card
from .decontaminate import Benchmarks
from .length import ChatTokenizer
from .readable import unreadable
from .selection import Selection, counts_of, question_text, select, shortfall
from .tables import CONVERSATIONS, DROPPED, METADATA, ROWS, Writer, ordered_texts, texts_of
from .text import assistant_text, system_and_user

Check = Callable[[], None]
"""Called between batches; raises when the job must stop."""

Question = dict[str, Any]


@dataclass(frozen=True)
class Inputs:
    """Files of a dataset."""

    questions: Sequence[Path]
    traces: Sequence[Path]
    verdicts: Sequence[Path]
    benchmarks: Sequence[Path] = ()
    tokenizer: Path | None = None
    same_questions_as: Path | None = None

    def all(self) -> list[Path]:
        """Every file that is read."""
        others = [path for path in (self.tokenizer, self.same_questions_as) if path]
        return [*self.questions, *self.traces, *self.verdicts, *self.benchmarks, *others]


def read_benchmarks(inputs: Inputs, settings: Mapping[str, Any]) -> Benchmarks | None:
    """The index to decontaminate against; a benchmark's name is the folder of its files.

    Raises:
        UserError: the files are not those of settings.decontaminate_against.
    """
    given, wanted = {path.parent.name for path in inputs.benchmarks}, set(settings["decontaminate_against"])
    if given != wanted:
        raise UserError(
            "--benchmarks",
            f"has files of {sorted(given) or 'no benchmark'}, the recipe decontaminates against {sorted(wanted) or 'none'}",
            "give the question files of exactly these",
        )
    rule = settings["decontaminate"]
    if rule is None:
        return None
    items = {
        (path.parent.name, row["question_id"]): question_text(row)
        for path in inputs.benchmarks
        for row in read_rows(path, QUESTIONS, ["question_id", "problem", "choices"])
    }
    return Benchmarks(items, rule["ngram"], rule["containment"], rule["similarity"])


def _optional(path: Path | None, option: str, key: str, settings: Mapping[str, Any]) -> Path | None:
    if (path is None) != (settings[key] is None):
        right = f"give {option}" if path is None else f"leave {option} out"
        raise UserError(option, f"does not fit the setting {key} = {settings[key]!r}", right)
    return path


def _texts(questions: Mapping[str, Question], settings: Mapping[str, Any]) -> Callable[..., tuple[str, str, str]]:
    def texts(each: Candidate, reasoning: str | None, response: str) -> tuple[str, str, str]:
        system, user = system_and_user(settings["prompts"], questions[each.question_id])
        return system, user, assistant_text(settings["format"], reasoning, response)

    return texts


def write_tables(
    folder: Path,
    traces: Sequence[Path],
    questions: Mapping[str, Question],
    selection: Selection,
    settings: Mapping[str, Any],
) -> None:
    """default/, metadata/, rows.parquet and dropped.parquet, the first three in the order of the rows."""
    texts = _texts(questions, settings)
    with (
        Writer(folder / "default" / "train.parquet", CONVERSATIONS) as default,
        Writer(folder / "metadata" / "train.parquet", METADATA) as metadata,
    ):
        for batch in ordered_texts(traces, selection.kept):
            conversations, facts = [], []
            for each, reasoning, response in batch:
                question = questions[each.question_id]
                system, user, assistant = texts(each, reasoning, response)
                turns = [{"from": "user", "value": user}, {"from": "assistant", "value": assistant}]
                conversations.append({"system": system, "conversations": turns})
                facts.append(
                    {
                        "problem": question["problem"],
                        "ground_truth_solution": question["solution"] or question["answer"],
                        "test_cases": question["tests"],
                        "starter_code": question["starter_code"],
                        "deepseek_reasoning": reasoning,
                        "deepseek_solution": response,
                        "domain": each.domain,
                        "source": each.source,
                    }
                )
            default.write(conversations)
            metadata.write(facts)
    names = [name for name in ROWS.names if name != "row"]
    rows = [
        {"row": number, **{name: getattr(each, name) for name in names}} for number, each in enumerate(selection.kept)
    ]
    write_rows(folder / "rows.parquet", rows, ROWS, ["row"])
    drops = [
        {
            "question_id": each.candidate.question_id,
            "trace_id": each.candidate.trace_id,
            "set": each.candidate.set,
            "reason": each.reason,
            "detail": each.detail,
        }
        for each in selection.dropped
    ]
    write_rows(folder / "dropped.parquet", drops, DROPPED, DROPPED.names)


def assemble(inputs: Inputs, settings: dict[str, Any], folder: Path, check: Check = lambda: None) -> dict[str, Any]:
    """Write the whole dataset into the empty `folder`; README.md is last.

    Returns:
        counts in traces: in, out, dropped, by_domain; `questions` {in, out}; `shortfall` where there is another arm.

    Raises:
        UserError: files and settings do not fit together, or no row is left.
    """
    tokenizer_path = _optional(inputs.tokenizer, "--tokenizer", "tokenizer", settings)
    other = _optional(inputs.same_questions_as, "--same-questions-as", "same_questions_as", settings)
    benchmarks = read_benchmarks(inputs, settings)
    tokenizer = ChatTokenizer(tokenizer_path) if tokenizer_path else None
    same = Counter(row["question_id"] for row in read_rows(other, ROWS, ["question_id"])) if other else None
    questions = read_questions(inputs.questions)
    candidates = read_candidates(questions, inputs.traces, inputs.verdicts)
    texts, rule = _texts(questions, settings), settings.get("readable")

    def measure(chosen: Sequence[Candidate]) -> None:
        with Progress(len(chosen), f"dataset {settings['dataset']}", "traces") as progress:
            for batch in texts_of(inputs.traces, chosen):
                check()
                conversations = [texts(*each) for each in batch]
                for each, reasoning, response in batch if rule else ():
                    each.unreadable = unreadable(reasoning or response, questions[each.question_id]["problem"], rule)
                lengths = tokenizer.count(conversations) if tokenizer else [None] * len(batch)
                for (each, _, _), text, tokens in zip(batch, conversations, lengths, strict=True):
                    each.text, each.tokens = digest(text), tokens
                progress.advance(len(batch))

    selection = select(candidates, questions, settings, measure, benchmarks, same)
    counts = counts_of(candidates, selection)
    if not selection.kept:
        reasons = ", ".join(f"{reason} {number}" for reason, number in counts["dropped"].items())
        raise UserError(
            f"dataset {settings['dataset']}",
            f"no row is left of {counts['in']} traces ({reasons})",
            "loosen the recipe",
        )
    counts["questions"] = {"in": len(questions), "out": len(selection.questions)}
    if same is not None:
        counts["shortfall"] = shortfall(selection.kept, same)
    write_tables(folder, inputs.traces, questions, selection, settings)
    files = {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*.parquet")}
    write_text(folder / "README.md", card(settings, questions, candidates, selection, counts, files))
    return counts
