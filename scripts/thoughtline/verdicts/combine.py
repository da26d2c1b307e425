"""A parser and a judge, and one verdict from the two.

A parser (math_verify, exact, choice) compares strictly and costs next to nothing; a judge reads what a parser cannot, and
costs a request. Their words become one verdict by the recipe's `rule` (`combined` below has the whole table):

parser, judge: the one's verdict, as if it were alone.
either: correct if one of them says so. Where the judge's reply cannot be read, nobody has the last word: `unparsed`.
both: correct if both say so; incorrect as soon as one says that.
undecided: the parser's verdict, and the judge's where the parser is undecided.

A parser is undecided where it has not compared: `unverified` (a reference or options that it cannot use), no final answer
found, an answer that it cannot read, a limit of time or memory hit. A wrong answer is decided, and so is what no answer
can be read from: a reply that failed, was refused, or was cut off before its answer.

The judge is asked where its word can change the verdict, or always. A side that fails altogether (not the same as a
reply that cannot be read) makes the row `error`, which the next run tries again.
"""

from __future__ import annotations

from typing import Any

from .pool import Lending
from .verdict import Closing, Verdict, fingerprint_of
from .verify import load

DECIDED = ("wrong_answer", "truncated", "generation_failed", "refused")
"""Reasons of an `incorrect` verdict by which a parser has decided; any other means that it did not get to compare."""


def undecided(parser: Verdict) -> bool:
    """Whether a parser has not got as far as a comparison."""
    return parser.status != "correct" and (parser.status != "incorrect" or parser.reason not in DECIDED)


def combined(rule: str, parser: Verdict, judge: Verdict) -> Verdict:
    """The side whose status and reason are the verdict.

    Rows: parser; columns: judge. C correct, I incorrect, ? unparsed, - unverified. A judge is unverified only where there
    is no reference, and then the parser is too.

        either   C  I  ?        both   C  I  ?        undecided
        C        C  C  C        C      C  I  ?        decided    as the parser
        I        C  I  ?        I      I  I  I        undecided  as the judge
        -        C  I  ?        -      -  I  ?
    """
    said = (parser.status, judge.status)
    if rule == "parser":
        return parser
    if rule == "judge":
        return judge
    if rule == "undecided":
        return judge if undecided(parser) else parser
    if rule == "either":
        if parser.status == "correct" or said == ("incorrect", "incorrect"):
            return parser
        return judge
    if parser.status == "incorrect" or (judge.status == "correct" and parser.status != "correct"):
        return parser
    return judge


def needed(rule: str, parser: Verdict) -> bool:
    """Whether the judge's word can change the verdict."""
    words = (Verdict("correct"), Verdict("incorrect", "judge_no"), Verdict("unparsed", "judge_unclear"))
    found = {(each.status, each.reason) for each in (combined(rule, parser, word) for word in words)}
    return len(found) > 1


def _told(name: str, verdict: Verdict) -> dict[str, Any]:
    """One side's verdict as evidence."""
    return {
        "verifier": name, "status": verdict.status, "reason": verdict.reason, "answer": verdict.answer,
        "evidence": verdict.evidence,
    }  # fmt: skip


class CombinedVerifier(Closing):
    """The `combined` verifier; `settings["verifier"]`: parser, judge, rule, ask; all else as for a judge.

    Evidence: {"parser": verdict, "judge": verdict, or null where it was not asked}, each {"verifier", "status", "reason",
    "answer", "evidence"}. The answer is the parser's, or what the judge was shown where the parser found none.
    """

    name = "combined"

    def __init__(self, settings: dict[str, Any], options: Any) -> None:
        chosen = settings["verifier"]
        self._rule, self._always = chosen["rule"], chosen["ask"] == "always"
        self._parser_settings = {**settings, "verifier": chosen["parser"]}
        self._parsers: Lending = options.parsers
        self._judge = load({**settings, "verifier": chosen["judge"]}, options)
        parser = load(self._parser_settings)
        self.fingerprint = fingerprint_of(settings, {"parser": parser.fingerprint, "judge": self._judge.fingerprint})
        parser.close()
        self._parsers.enter()
        self._open = True

    def close(self) -> None:
        """Let go of the judge and of the shared parsers."""
        if self._open:
            self._open = False
            self._judge.close()
            self._parsers.leave()

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row.

        Raises:
            UserError: the judge's service is down or refuses us.
            RuntimeError: a side fails at this row.
        """
        parser = self._parsers.use(lambda: load(self._parser_settings), lambda each: each.verify(question, trace))
        asked = self._always or needed(self._rule, parser)
        judge = self._judge.verify(question, trace) if asked else None
        found = combined(self._rule, parser, judge) if judge else parser
        answer = parser.answer or (judge.answer if judge else None)
        name = self._parser_settings["verifier"]["verifier"]
        evidence = {"parser": _told(name, parser), "judge": _told("judge", judge) if judge else None}
        return Verdict(found.status, found.reason, answer, evidence)


create = CombinedVerifier
