r"""Multiple choice: the response must name one option, by its letter or its exact text.

Where an answer is looked for, the first place that holds one wins:

1. the last `\boxed{...}`;
2. after the last phrase ("the answer is", ...) on its line, or on the next line when nothing follows there;
3. the whole response, or a line of it, when it is nothing but a letter (`B`, `**B**`, `(b)`, `B.`), a letter with its
   option (`B) text ...`), or the exact text of an option. Lines that name different options decide nothing.

A letter in prose is not an answer: "A cat sleeps" or "I think" name no option. After a phrase a letter may be
followed by words when it is in brackets or followed by `.`, `)` or `:`, or when the words are its option's text or
go on with "because", "since" and the like. Two different letters ("A or B") in the deciding place are no answer.
A letter comes before a text: where the options are letters themselves, `B` means the second one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from ..common.names import MULTIPLE_CHOICE_LETTERS
from .answers import last_boxed, phrase_ends
from .verdict import Closing, Verdict, fingerprint_of, no_answer, ruled_out

_LEAD = re.compile(
    r"^(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|letter|answer)\b[\s:]*(?:is\b[\s:]*)?)+", re.IGNORECASE
)
_LETTER = re.compile(
    r"^(?:\((?P<round>[A-Ja-j])\)|\[(?P<square>[A-Ja-j])\]|(?P<bare>[A-Ja-j])(?P<mark>[.):]|(?!\w)))(?P<rest>.*)", re.S
)
_JOINED = re.compile(
    r"^[\s,;]*\b(?:because|since|as|which|that|for|so|therefore|not|rather|due)\b|^\s+[-–—(]", re.IGNORECASE
)
_ANOTHER = re.compile(r"^\s*(?:,|/|&|,?\s*(?:or|and)\b)\s*(?:(?:option|choice)\s+)?(?:\([A-Ja-j]\)|[A-J]\b(?!'))")
_COMMAND = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")


def plain(text: str) -> str:
    """`text` without markdown, LaTeX text commands and dollar signs, blanks as one space."""
    text = _COMMAND.sub(r"\1", unicodedata.normalize("NFKC", text))
    return re.sub(r"\s+", " ", re.sub(r"[*_`$]", "", text)).strip(" :-=>#")


def folded(text: str) -> str:
    """The form in which texts of options are compared: plain, no case, no surrounding quotes and final punctuation."""
    return plain(text).strip("\"'“”‘’«»").rstrip(".,;:!?").strip("\"'“”‘’«»").casefold()


class Options:
    """The options of one question."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.texts = [folded(choice) for choice in choices]
        self.letters = MULTIPLE_CHOICE_LETTERS[: len(choices)]

    def by_text(self, text: str) -> str | None:
        """The letter of the first option with this text."""
        text = folded(text)
        return self.letters[self.texts.index(text)] if text and text in self.texts else None

    def text_of(self, letter: str) -> str:
        """The folded text of an option; two options with one text are the same answer."""
        return self.texts[self.letters.index(letter)]

    def named(self, text: str, prose: bool) -> str | None:
        """The letter of the option that `text` names from its start; None when it names none, or more than one.

        Args:
            prose: whether words may follow the letter (after a phrase they may, on a line of its own they may not).
        """
        text = plain(text)
        stripped = _LEAD.sub("", text)
        match = _LETTER.match(stripped)
        letter = (match["round"] or match["square"] or match["bare"]).upper() if match else ""
        if not letter or letter not in self.letters:
            return self.by_text(text) or self.by_text(stripped)
        rest, bare = match["rest"], match["bare"]
        if not rest.strip(" .,;:!?") or folded(rest) == self.text_of(letter):
            return letter
        if whole := self.by_text(stripped):
            return whole
        explicit = bare is None or match["mark"] == ")" or (bare.isupper() and bool(match["mark"]))
        if _ANOTHER.match(rest):
            return None
        if not prose:
            return letter if explicit and re.match(re.escape(self.text_of(letter)) + r"\b", folded(rest)) else None
        return letter if explicit or (bare.isupper() and _JOINED.match(rest)) else None


def found_letter(response: str, choices: Sequence[str], phrases: list[str]) -> str | None:
    """The letter that `response` settles on; None when it names no option, or several."""
    options = Options(choices)
    boxed = last_boxed(response)
    if boxed is not None and (letter := options.named(boxed, prose=True)):
        return letter
    ends = phrase_ends(response, phrases)
    if ends:
        line, _, below = response[ends[-1] :].partition("\n")
        if not plain(line):
            line = next((each for each in below.splitlines() if plain(each)), "")
        return options.named(line, prose=True)
    if letter := options.by_text(response):
        return letter
    letters = {letter for line in response.splitlines() if (letter := options.named(line, prose=False))}
    return letters.pop() if len(letters) == 1 else None


class ChoiceVerifier(Closing):
    """The `choice` verifier; `settings["verifier"]`: phrases."""

    name = "choice"

    def __init__(self, settings: dict[str, Any], options: Any = None) -> None:
        self._phrases = settings["verifier"]["phrases"]
        self.fingerprint = fingerprint_of(settings, {})

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row; the question's `answer` is the text of one of its `choices`, or a letter where no text fits."""
        choices = question.get("choices")
        if not choices:
            return Verdict("unverified", "no_choices")
        ruled = ruled_out(question, trace, "answer", "no_reference")
        if ruled:
            return ruled
        options = Options(choices)
        gold = options.by_text(question["answer"])
        if gold is None and question["answer"].strip().upper() in set(options.letters):
            gold = question["answer"].strip().upper()
        if gold is None:
            return Verdict("unverified", "reference_not_among_choices")
        letter = found_letter(trace["response"], choices, self._phrases)
        if letter is None:
            return no_answer(trace)
        same = options.text_of(letter) == options.text_of(gold)
        evidence = {"option": choices[options.letters.index(letter)], "reference": gold}
        return Verdict("correct" if same else "incorrect", "" if same else "wrong_answer", letter, evidence)


create = ChoiceVerifier
