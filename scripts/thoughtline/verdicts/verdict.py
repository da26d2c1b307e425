"""What a verifier says of a trace, and the rules that all verifiers share.

Only the final `response` is judged, never the reasoning. In this order:

1. no reference (answer or tests) in the question: `unverified`;
2. the generation failed: `incorrect`, generation_failed (whoever asked got no answer);
3. refused: `incorrect`, refused;
4. an empty response: `incorrect`, truncated if the reply was cut off, else no_answer.

A response that was cut off is judged on what it holds; where it holds no answer the reason is `truncated`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..common.canonical import digest
from ..common.measures import check_measures

EXCERPT = 500
"""Characters of a text that are kept as evidence."""


@dataclass(frozen=True)
class Verdict:
    """One judgement: `status` of rows.VERDICT_STATUS, `reason` ("" if correct), answer and evidence as in rows.VERDICTS.

    `measures` are further numbers, {name: (value, weight)}, that scores sum up beside accuracy (common.measures).

    Raises:
        ValueError: a measure is outside its scale.
    """

    status: str
    reason: str = ""
    answer: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_measures(self.measures)


class Verifier(Protocol):
    """Judges rows one at a time; one instance belongs to one thread."""

    name: str
    fingerprint: str

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge a row of TRACES by its row of QUESTIONS (of each only the columns that matter are needed).

        Raises:
            UserError: the question's own data are broken, or the judge's service is down.
        """

    def close(self) -> None:
        """End worker processes and connections."""


class Closing:
    """`with` for verifiers, and a close() for those that hold nothing."""

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Versions of installed distributions."""
    return {name: importlib.metadata.version(name) for name in names}


def fingerprint_of(settings: dict[str, Any], versions: dict[str, Any]) -> str:
    """16 hex digits from a verifier's settings, the digest of its code, and the versions of what it calls."""
    chosen = {key: settings.get(key) for key in ("verifier", "code")}
    return digest({**chosen, "versions": versions}, 16)


def ruled_out(question: dict[str, Any], trace: dict[str, Any], reference: str, reason: str) -> Verdict | None:
    """The verdict by the shared rules, or None when the response must be looked at.

    Args:
        reference: the column of the question to judge by.
        reason: why the row is unverified without it.
    """
    if question.get(reference) is None or not str(question[reference]).strip():
        return Verdict("unverified", reason)
    if trace.get("status") == "failed":
        return Verdict("incorrect", "generation_failed")
    if trace.get("status") == "refused":
        return Verdict("incorrect", "refused")
    if not (trace.get("response") or "").strip():
        return no_answer(trace)
    return None


def no_answer(trace: dict[str, Any], reason: str = "no_answer") -> Verdict:
    """No final answer was found: `reason`, or truncated when the reply was cut off."""
    return Verdict("incorrect", "truncated" if trace.get("status") == "truncated" else reason)


def excerpt(text: str, length: int = EXCERPT) -> str:
    """At most `length` characters of `text`; what is left out is counted."""
    return text if len(text) <= length else f"{text[:length]}... ({len(text) - length} more characters)"
