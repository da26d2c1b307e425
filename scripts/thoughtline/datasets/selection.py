"""Which traces become rows: one step after the other, each trace that leaves with its first reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..common.near_duplicates import near_duplicates
from .candidates import Candidate, Drop
from .decontaminate import Benchmarks
from .keep import choose, rejected, shuffled, unfit
from .mixture import mix

Measure = Callable[[Sequence[Candidate]], None]
"""Reads the candidates' texts and sets `text` and, where the recipe limits them, `tokens`."""


@dataclass
class Selection:
    """Candidates that are still in, and those that are not."""

    kept: list[Candidate]
    dropped: list[Drop] = field(default_factory=list)

    def drop_where(self, reason_of: Callable[[Candidate], str | tuple[str, str] | None]) -> None:
        """Drop the candidates for which `reason_of` gives a reason, or a reason and a detail."""
        staying = []
        for each in self.kept:
            found = reason_of(each)
            if found is None:
                staying.append(each)
            else:
                self.dropped.append(Drop(each, *((found,) if isinstance(found, str) else found)))
        self.kept = staying

    def split(self, parts: tuple[list[Candidate], list[Drop]]) -> None:
        """Go on with the outcome of a step that looks at all candidates together."""
        self.kept = parts[0]
        self.dropped += parts[1]

    @property
    def questions(self) -> list[str]:
        """Questions of the candidates that are still in, in order of their ids."""
        return sorted({each.question_id for each in self.kept})


def question_text(question: Mapping[str, Any]) -> str:
    """What is compared of a question: its problem and its options."""
    return "\n".join([question["problem"] or "", *(question["choices"] or [])])


def _drop_contaminated(selection: Selection, texts: Mapping[str, str], benchmarks: Benchmarks) -> None:
    hits = {question: benchmarks.find(texts[question]) for question in selection.questions}
    selection.drop_where(lambda each: ("contaminated", str(hits[each.question_id])) if hits[each.question_id] else None)


def _drop_near_duplicates(selection: Selection, texts: Mapping[str, str], rule: Mapping[str, Any]) -> None:
    remaining = {question: texts[question] for question in selection.questions}
    same = near_duplicates(remaining, rule["similarity"], rule["permutations"])
    selection.drop_where(lambda each: ("near_duplicate", same[each.question_id]) if each.question_id in same else None)


def _drop_duplicates(selection: Selection) -> None:
    first: dict[str | None, Candidate] = {}
    for each in sorted(selection.kept, key=lambda each: (each.question_id, each.sample, each.trace_id, each.file)):
        first.setdefault(each.text, each)
    selection.drop_where(lambda each: None if first[each.text] is each else ("duplicate", first[each.text].trace_id))


def select(
    candidates: Iterable[Candidate],
    questions: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
    measure: Measure,
    benchmarks: Benchmarks | None = None,
    same_questions: Mapping[str, int] | None = None,
) -> Selection:
    """The dataset's rows in their final order, and all other traces with the reason of each.

    Steps: unfit traces; questions that the other arm lacks; contaminated questions; traces that the verdict speaks
    against; texts that are not fit to read, too short or too long; near-duplicate questions; equal texts; the choice among a question's traces; the
    mixture. Whatever makes a trace unusable comes before the choice, so that a question is not lost while it has
    another trace.

    Args:
        candidates: all traces.
        questions: rows of QUESTIONS by id.
        settings: recipe.settings.datasets().
        measure: see Measure.
        benchmarks: what to decontaminate against.
        same_questions: question -> number of rows of the other arm.
    """
    selection = Selection(list(candidates))
    texts = {key: question_text(row) for key, row in questions.items()}
    selection.drop_where(unfit)
    if same_questions is not None:
        selection.drop_where(lambda each: None if each.question_id in same_questions else "not_in_other")
    if benchmarks is not None:
        _drop_contaminated(selection, texts, benchmarks)
    selection.drop_where(lambda each: rejected(each, settings["keep"], settings["keep_unverified"]))
    measure(selection.kept)
    if settings.get("readable"):
        selection.drop_where(lambda each: each.unreadable)
    least = settings.get("min_tokens")
    if least is not None:
        selection.drop_where(
            lambda each: ("too_short", f"{each.tokens} tokens") if (each.tokens or 0) < least else None
        )
    limit = settings["max_tokens"]
    if limit is not None:
        selection.drop_where(lambda each: ("too_long", f"{each.tokens} tokens") if (each.tokens or 0) > limit else None)
    if settings["near_duplicates"]:
        _drop_near_duplicates(selection, texts, settings["near_duplicates"])
    _drop_duplicates(selection)
    selection.split(
        choose(selection.kept, settings["keep"], settings["seed"], same_questions, settings.get("per_question"))
    )
    if settings["mixture"]:
        selection.split(mix(selection.kept, settings["mixture"], settings["seed"]))
    selection.kept.sort(key=lambda each: shuffled(settings["seed"], each.trace_id))
    return selection


def shortfall(kept: Iterable[Candidate], same_questions: Mapping[str, int]) -> dict[str, int]:
    """Rows that the other arm has and this one cannot supply: {"rows": n, "questions": m}; zeros for equal arms."""
    missing = Counter(same_questions) - Counter(each.question_id for each in kept)
    return {"rows": missing.total(), "questions": len(missing)}


def counts_of(candidates: Sequence[Candidate], selection: Selection) -> dict[str, Any]:
    """{"in", "out", "dropped": {reason: n}} in traces, in all and `by_domain`; in = out + dropped."""

    def count(domain: str | None) -> dict[str, Any]:
        dropped = Counter(
            drop.reason for drop in selection.dropped if domain is None or drop.candidate.domain == domain
        )
        return {
            "in": sum(domain is None or each.domain == domain for each in candidates),
            "out": sum(domain is None or each.domain == domain for each in selection.kept),
            "dropped": dict(sorted(dropped.items())),
        }

    domains = sorted({each.domain for each in candidates})
    return {**count(None), "by_domain": {domain: count(domain) for domain in domains}}
