"""How far a judge and a parser agree on the same traces, and how many rows each way of combining them would keep.

Both are read from verdicts: of a `combined` verifier that asked both, or of two verifiers that judged the same traces.
A row counts where there was something to judge: without a reference, and for a reply that failed or was empty, neither
side looks at it. The parser's words are correct, incorrect, undecided (combine.undecided); the judge's are correct,
incorrect, unparsed. Agreement and Cohen's kappa (1960, Educ. Psychol. Meas. 20:37) are of the four cells in which both
have decided.

Questions are the sampling unit, for the samples of one question are not independent: shares have the intervals of
scores.statistics.ratio; kappa's error is the jackknife's over questions (Fleiss and Davies 1982, Am. J. Epidemiol.
115:841), with Student's t.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..common.errors import UserError
from ..common.names import COMBINATION_RULES
from ..common.reconcile import read_questions
from ..common.rows import VERDICTS, read_rows
from ..scores.statistics import LEVEL, ratio, student_t
from .combine import combined, needed, undecided
from .verdict import Verdict, excerpt

PARSER_WORDS = ("correct", "incorrect", "undecided")
JUDGE_WORDS = ("correct", "incorrect", "unparsed")
EXAMPLES = 2
"""Rows shown of each source and each cell in which the two differ: those with the lowest trace ids."""
LONG = 1500
"""Characters of a problem, or of one reply of the judge, that an example shows."""
ALL = "all"
"""The source of questions that name none."""
COLUMNS = ["trace_id", "question_id", "sample", "status", "reason", "answer", "verifier", "fingerprint", "evidence"]


@dataclass(frozen=True)
class Pair:
    """What both sides say of one trace."""

    trace_id: str
    question_id: str
    source: str
    parser: Verdict
    judge: Verdict

    @property
    def replies(self) -> list[str] | None:
        """The judge's replies; None where it was not asked, since there was nothing to judge."""
        return self.judge.evidence.get("judge")

    @property
    def cell(self) -> tuple[str, str]:
        """(the parser's word, the judge's word)."""
        return "undecided" if undecided(self.parser) else self.parser.status, self.judge.status


Cells = tuple[int, int, int, int]
"""Rows by (parser, judge): both correct, the parser alone, the judge alone, both incorrect."""


def cells_of(pairs: Iterable[Pair]) -> Cells:
    """The four cells in which both have decided."""
    found = Counter(pair.cell for pair in pairs)
    return tuple(found[parser, judge] for parser in PARSER_WORDS[:2] for judge in JUDGE_WORDS[:2])  # type: ignore[return-value]


def kappa(cells: Cells) -> float | None:
    """Cohen's kappa; None where both sides say the same of all rows, or there are none."""
    both, parser, judge, neither = cells
    rows = sum(cells)
    by_chance = (both + parser) * (both + judge) + (neither + judge) * (neither + parser)
    return (rows * (both + neither) - by_chance) / (rows * rows - by_chance) if by_chance != rows * rows else None


def kappa_with_interval(by_question: Sequence[Cells]) -> dict[str, Any] | None:
    """{"value", "standard_error", "interval"} over questions; without an error where it cannot be estimated."""
    whole: Cells = tuple(map(sum, zip(*by_question, strict=True))) if by_question else (0, 0, 0, 0)  # type: ignore[assignment]
    value, number = kappa(whole), len(by_question)
    if value is None:
        return None
    once = {cells: kappa(tuple(a - b for a, b in zip(whole, cells, strict=True))) for cells in set(by_question)}  # type: ignore[arg-type]
    left_out = [once[cells] for cells in by_question]
    if number < 2 or None in left_out:
        return {"value": value, "standard_error": None, "interval": None}
    centre = mean(left_out)  # type: ignore[type-var]
    error = math.sqrt((number - 1) / number * math.fsum((each - centre) ** 2 for each in left_out))  # type: ignore[operator]
    reach = student_t(number - 1) * error
    return {"value": value, "standard_error": error, "interval": [max(-1.0, value - reach), min(1.0, value + reach)]}


def _grouped(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """The pairs of each question."""
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.question_id, []).append(pair)
    return list(found.values())


def summary(pairs: list[Pair]) -> dict[str, Any]:
    """Counts and figures of some rows.

    Returns:
        rows, questions; judged: rows that the judge was asked about; table: {parser's word: {judge's word: rows}} over these;
        undecided: why the parser was, {reason: rows}; repaired: rows for which the judge was asked a second time;
        agreement: {rows, mean, standard_error, interval} and kappa: {value, standard_error, interval} of the rows that
        both have decided, null where there are none; kept: {rule: {rows, mean, interval, asks}}, of all rows, where asks is
        how many rows the rule asks the judge about; judge_minus_parser: {mean, standard_error, interval} of the share kept.
    """
    judged = [pair for pair in pairs if pair.replies is not None]
    found = Counter(pair.cell for pair in judged)
    compared = [cells for group in _grouped(judged) if sum(cells := cells_of(group))]
    agreed = [(cells[0] + cells[3], sum(cells)) for cells in compared]
    questions = _grouped(pairs)

    def keeps(pair: Pair, rule: str) -> bool:
        return combined(rule, pair.parser, pair.judge).status == "correct"

    def share(rule: str) -> dict[str, Any]:
        by_question = [(sum(keeps(pair, rule) for pair in group), len(group)) for group in questions]
        asks = sum(pair.replies is not None and needed(rule, pair.parser) for pair in pairs)
        return {"rows": sum(kept for kept, _ in by_question), **ratio(by_question, (0, 1)), "asks": asks}

    more = [(sum(keeps(pair, "judge") - keeps(pair, "parser") for pair in group), len(group)) for group in questions]
    return {
        "rows": len(pairs),
        "questions": len(questions),
        "judged": len(judged),
        "table": {parser: {judge: found[parser, judge] for judge in JUDGE_WORDS} for parser in PARSER_WORDS},
        "undecided": dict(
            sorted(Counter(pair.parser.reason for pair in judged if undecided(pair.parser)).items()),
        ),
        "repaired": sum(len(pair.replies or []) > 1 for pair in judged),
        "agreement": {"rows": sum(rows for _, rows in agreed), **ratio(agreed, (0, 1))} if agreed else None,
        "kappa": kappa_with_interval(compared),
        "kept": {rule: share(rule) for rule in COMBINATION_RULES} if pairs else {},
        "judge_minus_parser": ratio(more, (-1, 1)) if pairs else None,
    }


def _shown(question: dict[str, Any] | None) -> dict[str, str]:
    """What an example shows of its question; nothing where the questions were not given."""
    if question is None:
        return {}
    return {"problem": excerpt(question["problem"], LONG), "reference": excerpt(question["answer"] or "")}


def examples(pairs: list[Pair], questions: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of which the sides say different things, EXAMPLES of each source and cell, in the order of the table."""
    cells = [
        (parser, judge) for parser in PARSER_WORDS for judge in JUDGE_WORDS
        if parser != judge and (parser, judge) != ("undecided", "unparsed")
    ]  # fmt: skip
    shown: dict[tuple[str, tuple[str, str]], list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.trace_id):
        here = shown.setdefault((pair.source, pair.cell), [])
        if pair.replies is not None and len(here) < EXAMPLES:
            here.append(pair)
    return [
        {
            "source": source,
            "parser": parser,
            "judge": judge,
            "trace_id": pair.trace_id,
            "question_id": pair.question_id,
            **_shown(questions.get(pair.question_id)),
            "answer": pair.judge.evidence.get("extracted") or pair.parser.evidence.get("extracted"),
            "parsed": pair.parser.answer,
            "parser_reason": pair.parser.reason,
            "judge_reason": pair.judge.reason,
            "replies": [excerpt(reply, LONG) for reply in pair.replies or []],
        }
        for parser, judge in cells
        for source in dict.fromkeys(sorted(key[0] for key in shown))
        for pair in shown.get((source, (parser, judge)), [])
    ]


def _verdict(row: dict[str, Any]) -> Verdict:
    return Verdict(row["status"], row["reason"], row["answer"], row["evidence"])


def _read(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Rows of verdicts by trace, with their evidence parsed."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        for row in read_rows(path, VERDICTS, COLUMNS):
            if row["trace_id"] in found:
                raise UserError(str(path), f"trace {row['trace_id']} occurs twice", "give each shard once")
            found[row["trace_id"]] = {**row, "evidence": json.loads(row["evidence"]), "path": path}
    return found


def _sides(rows: dict[str, dict[str, Any]], judged: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Trace -> the rows (parser's, judge's) of two verifiers.

    Raises:
        UserError: these are not a parser's and a judge's verdicts of the same traces.
    """
    for side, others, word in ((rows, judged, "parser"), (judged, rows, "judge")):
        for trace, row in side.items():
            if (row["verifier"] == "judge") != (word == "judge") or row["verifier"] in ("combined", "none"):
                raise UserError(
                    str(row["path"]), f"holds verdicts of {row['verifier']}, not of a {word}",
                    "--verdicts takes a parser's or a combined verifier's, --judge-verdicts a judge's",
                )  # fmt: skip
            if trace not in others:
                raise UserError(
                    str(row["path"]), f"judges trace {trace}, which the other side does not", "verify the same traces"
                )
    return {trace: (row, judged[trace]) for trace, row in rows.items()}


def _both(rows: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Trace -> the two verdicts in the evidence of a combined verifier.

    Raises:
        UserError: there is another verifier among them, or the judge was not always asked.
    """
    for row in rows.values():
        if row["verifier"] != "combined":
            raise UserError(
                str(row["path"]), f"holds verdicts of {row['verifier']}, which is one side only",
                "give the judge's verdicts of the same traces with --judge-verdicts",
            )  # fmt: skip
    silent = [row for row in rows.values() if row["status"] != "error" and row["evidence"]["judge"] is None]
    if silent:
        raise UserError(
            str(silent[0]["path"]), f"the judge was not asked about {len(silent)} of {len(rows)} traces",
            "verify with `ask: always`: the rows that a rule asks about tell nothing of the others",
        )  # fmt: skip
    return {
        trace: (row, row) if row["status"] == "error" else (row["evidence"]["parser"], row["evidence"]["judge"])
        for trace, row in rows.items()
    }


def _has_source(path: Path) -> bool:
    """Whether a file of questions has the column `source`; of what is no such file, read_rows says so."""
    try:
        return "source" in pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError):
        return True


def _questions(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """Questions by id, each with a source: ALL where its file has none."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        columns = ["question_id", "problem", "answer", *(["source"] if _has_source(path) else [])]
        for name, row in read_questions([path], columns).items():
            found.setdefault(name, {"source": ALL, **row})
    return found


def agreement(questions: list[Path], verdicts: list[Path], judge_verdicts: list[Path]) -> dict[str, Any]:
    """The agreement of a judge and a parser on one answerer's traces.

    Args:
        questions: all shards of the questions that were asked; with none, all rows have the source ALL, and examples
            show neither problem nor reference. Rows of a file without the column `source` have that source too.
        verdicts: a combined verifier's, or a parser's together with `judge_verdicts`.

    Returns:
        parser: name of the verifier; fingerprints of the verdicts; level of the intervals; counts: {in, out, dropped} where
        out is what both have decided; all: summary() of all rows; sources: {source: summary()}; examples.

    Raises:
        UserError: the verdicts are not of both sides on the same traces, or of other questions.
    """
    asked = _questions(questions)
    rows, judged = _read(verdicts), _read(judge_verdicts)
    sides = _sides(rows, judged) if judge_verdicts else _both(rows)
    pairs, dropped, names = [], Counter[str](), set()
    for trace, (parser, judge) in sorted(sides.items()):
        question = asked.get(name := rows[trace]["question_id"])
        if questions and question is None:
            raise UserError(
                str(rows[trace]["path"]), f"trace {trace} answers a question that is in no file of --questions",
                "give all question files",
            )  # fmt: skip
        if "error" in (parser["status"], judge["status"]):
            dropped["verifier_error"] += 1
            continue
        names.add(parser["verifier"])
        source = (question["source"] or "") if question else ALL
        pair = Pair(trace, name, source, _verdict(parser), _verdict(judge))
        pairs.append(pair)
        if pair.replies is None:
            dropped[pair.judge.reason] += 1
        elif pair.cell[1] == "unparsed":
            dropped["judge_unparsed"] += 1
        elif pair.cell[0] == "undecided":
            dropped["parser_undecided"] += 1
    sources: dict[str, list[Pair]] = {}
    for pair in pairs:
        sources.setdefault(pair.source, []).append(pair)
    return {
        "parser": ", ".join(sorted(names)),
        "fingerprints": sorted({row["fingerprint"] for row in [*rows.values(), *judged.values()]}),
        "level": LEVEL,
        "counts": {"in": len(rows), "out": len(rows) - dropped.total(), "dropped": dict(sorted(dropped.items()))},
        "all": summary(pairs),
        "sources": {name: summary(found) for name, found in sorted(sources.items())},
        "examples": examples(pairs, asked),
    }


def agreement_text(found: dict[str, Any]) -> str:
    """The table of all rows and the main figures, for a terminal."""
    whole = found["all"]
    lines = [f"{found['parser'] + ' / judge':24}" + "".join(f"{word:>12}" for word in JUDGE_WORDS)]
    lines += [
        f"{word:24}" + "".join(f"{whole['table'][word][each]:12d}" for each in JUDGE_WORDS) for word in PARSER_WORDS
    ]
    if whole["agreement"]:
        low, high = whole["agreement"]["interval"]
        lines.append(
            f"agreement {whole['agreement']['mean']:.3f} [{low:.3f}, {high:.3f}] of {whole['agreement']['rows']} rows"
        )
    if whole["kappa"]:
        limits = whole["kappa"]["interval"]
        interval = f" [{limits[0]:.3f}, {limits[1]:.3f}]" if limits else ""
        lines.append(f"kappa {whole['kappa']['value']:.3f}{interval}")
    kept = ", ".join(f"{rule} {each['rows']} ({each['asks']} asked)" for rule, each in whole["kept"].items())
    lines.append(f"kept of {whole['rows']} rows by rule: {kept}")
    return "\n".join(lines)
