"""Rows of a source as questions: one form for text, reference, options, tests and metadata."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from ..common.canonical import canonical_json
from ..common.errors import UserError
from ..common.rows import question_id
from ..verdicts.formats import canonical_tests, columns_of
from .choices import Options, canonical_order, convention_of, options_of, resolve, shuffled
from .instructions import instructions
from .table import Table
from .values import encodable, plain, text_of

Question = dict[str, Any]
"""The columns of rows.QUESTIONS, with `tests` and `metadata` still as objects, and `row`, the number in the source
(encoded() makes it what is written).
"""

GYM_FIELDS = {"problem": "question", "answer": "answer"}
ROLES = (
    "problem", "answer", "solution", "starter_code", "instructions", "instruction_arguments", "turns",
    "references",
)  # fmt: skip
"""Fields that are one column."""


class Unusable(Exception):
    """A row that cannot become a question; its text is the reason that is counted."""


class Mapping:
    """How the rows of one source become questions.

    Args:
        source: the source's settings.
        domain: the set's domain.
        table: the loaded rows.

    Raises:
        UserError: a column that the settings name does not exist.
    """

    def __init__(self, source: dict[str, Any], domain: str, table: Table) -> None:
        self.name, self.domain = source["name"], domain
        self.at = f"sources.{self.name}.fields"
        self.is_gym = bool(source.get("reasoning_gym"))
        fields = GYM_FIELDS if self.is_gym else {"problem": "problem", **(source.get("fields") or {})}
        options = fields.get("choices") or []
        self.options = [options] if isinstance(options, str) else options
        self.column = {role: fields[role] for role in ROLES if fields.get(role)}
        self.tests = columns_of(fields["tests"]) if fields.get("tests") else {}
        if "turns" in self.column:
            self.column["problem"] = self.column["turns"]
        self.metadata = ["metadata"] if self.is_gym else list(fields.get("metadata") or [])
        named = [
            (role, name)
            for role, names in (("choices", self.options), ("tests", self.tests.values()), ("metadata", self.metadata))
            for name in names
        ]
        for key, name in [*self.column.items(), *named]:
            if len(table) and name not in table.columns:
                raise UserError(
                    f"{self.at}.{key}", f"the source has no column {name!r}", f"it has {', '.join(table.columns)}"
                )
        self.convention: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys([*self.column.values(), *self.options, *self.tests.values(), *self.metadata]))

    def learn(self, table: Table, numbers: list[int]) -> None:
        """Find out how this source names right options (choices.convention_of), from the rows `numbers`.

        Raises:
            UserError: no answer names any of its options.
        """
        if not self.options or "answer" not in self.column:
            return
        pairs: list[tuple[Any, Options]] = []
        for row in table.rows(numbers, [*self.options, self.column["answer"]]):
            answer = plain(row[self.column["answer"]])
            try:
                options = options_of(self._options(row))
            except ValueError:
                continue
            if options and answer is not None:
                pairs.append((answer, options))
        self.convention = convention_of(pairs)
        if pairs and self.convention is None:
            answer, options = pairs[0]
            raise UserError(
                f"{self.at}.answer",
                f"no answer names one of its options: {answer!r} among {options.texts}",
                "give the option's text, its letter, or its index from 0",
            )

    def question(self, row: dict[str, Any], number: int) -> Question:
        """The question of a row.

        Raises:
            Unusable: no_problem, bad_turns, bad_text, bad_choices, no_matching_choice or bad_tests.
            UserError: a column that should hold text holds something else.
        """
        conversation, references = self._texts(row, "turns"), self._texts(row, "references")
        if references and conversation and len(references) != len(conversation):
            raise Unusable("bad_turns")
        problem = conversation[0] if conversation else self._text(self._problem(row), "problem", number)
        turns = conversation[1:] or None if conversation else None
        if problem is None:
            raise Unusable("no_problem")
        solution = self._solution(row, number)
        texts, answer = self._choices(row)
        tests = self._tests(row)
        identity = (
            question_id(self.domain, problem, canonical_order(texts) if texts else None, turns)
            if encodable(problem) and encodable(turns)
            else ""
        )
        extra = plain(row["metadata"]) if self.is_gym else {name: plain(row[name]) for name in self.metadata}
        question = {
            "question_id": identity,
            "domain": self.domain,
            "source": self.name,
            "problem": problem,
            "answer": self._answer(row, answer, solution),
            "solution": solution,
            "choices": shuffled(texts, identity) if texts and encodable(texts) else None,
            "tests": tests,
            "starter_code": self._text(self._value(row, "starter_code"), "starter_code", number),
            "turns": turns,
            "references": references,
            "metadata": extra,
            "row": number,
        }
        if not encodable(question) or not encodable(texts):
            raise Unusable("bad_text")
        return question

    def _problem(self, row: dict[str, Any]) -> Any:
        return None if "turns" in self.column else self._value(row, "problem")

    def _texts(self, row: dict[str, Any], role: str) -> list[str] | None:
        """A list of texts; null when there are none. A reference may be blank (a turn without one), a turn may not.

        Raises:
            Unusable: it is something else.
        """
        value = plain(self._value(row, role))
        if not value:
            return None
        if role == "references" and isinstance(value, list):  # some are numbers
            value = [text_of(each) or "" for each in value]
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise Unusable("bad_turns")
        if role == "turns" and not all(each.strip() for each in value):
            raise Unusable("bad_turns")
        return value

    def _options(self, row: dict[str, Any]) -> Any:
        """The options of a row as the source has them: the value of their column, or those of one column each."""
        if len(self.options) == 1:
            return row[self.options[0]]
        return [row[name] for name in self.options] or None

    def _value(self, row: dict[str, Any], role: str) -> Any:
        return row[self.column[role]] if role in self.column else None

    def _text(self, value: Any, role: str, number: int) -> str | None:
        """The text as the source has it; null when there is nothing but blanks."""
        value = plain(value)
        if isinstance(value, (list, dict)):
            raise UserError(
                f"{self.at}.{role}",
                f"column {self.column[role]!r} of row {number} holds {type(value).__name__}, not text: {str(value)[:80]}",
                "name a column of texts",
            )
        text = value if isinstance(value, str) or value is None else str(value)
        return text if text and text.strip() else None

    def _solution(self, row: dict[str, Any], number: int) -> str | None:
        """One solution: of several (a list, or in code sets its JSON, as APPS and TACO have it) the first."""
        value = plain(self._value(row, "solution"))
        if self.domain == "code" and isinstance(value, str) and value.lstrip().startswith("["):
            with contextlib.suppress(ValueError):  # a program may start with a bracket too
                value = json.loads(value)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return next((each for each in value if each.strip()), None)
        return self._text(value, "solution", number)

    def _choices(self, row: dict[str, Any]) -> tuple[list[str] | None, str | None]:
        """Option texts in the source's order, and the right one's text."""
        try:
            options = options_of(self._options(row))
        except ValueError:
            raise Unusable("bad_choices") from None
        if options is None:
            return None, None
        answer = plain(self._value(row, "answer"))
        if answer is None or self.convention is None:
            return options.texts, None
        place = resolve(answer, options, self.convention)
        if place is None:
            raise Unusable("no_matching_choice")
        if options.texts.count(options.texts[place]) > 1:
            raise Unusable("bad_choices")
        return options.texts, options.texts[place]

    def _tests(self, row: dict[str, Any]) -> dict[str, Any] | None:
        try:
            if "instructions" in self.column:
                return instructions(self._value(row, "instructions"), self._value(row, "instruction_arguments"))
            found = {key: plain(row[name]) for key, name in self.tests.items()}
            return canonical_tests(found.get("", found)) if any(found.values()) else None
        except (ValueError, RecursionError):
            raise Unusable("bad_tests") from None

    def _answer(self, row: dict[str, Any], choice: str | None, solution: str | None) -> str | None:
        """The right option; else the answer column; in mathematics without one, what the solution boxes last."""
        if choice is not None:
            return choice
        if "answer" in self.column:
            return text_of(self._value(row, "answer"))
        return last_boxed(solution) if self.domain == "math" and solution else None


def last_boxed(text: str) -> str | None:
    r"""The content of the last \boxed{...} whose braces balance; null when there is none or it is empty."""
    start = text.rfind("\\boxed{")
    while start >= 0:
        depth, place = 1, start + len("\\boxed{")
        while place < len(text) and depth:
            if text[place] == "\\":
                place += 1  # \{ and \} are signs, not braces
            elif text[place] in "{}":
                depth += 1 if text[place] == "{" else -1
            place += 1
        if depth == 0:
            return text[start + len("\\boxed{") : place - 1].strip() or None
        start = text.rfind("\\boxed{", 0, start)
    return None


def encoded(question: Question) -> dict[str, Any]:
    """The row as it is written: `tests` and `metadata` as canonical JSON, metadata with the row's number as `source_index`."""
    tests, metadata = question["tests"], {"source_index": question["row"], **question["metadata"]}
    row = {name: value for name, value in question.items() if name != "row"}
    return {**row, "tests": None if tests is None else canonical_json(tests), "metadata": canonical_json(metadata)}
