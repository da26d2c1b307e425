r"""Multiple choice: the response must name one option, by its letter or its text.

Where an answer is looked for, the first place that holds one wins:

1. the last `\boxed{...}`;
2. after the last phrase ("answer is", "answer:", ...) on its line, or on the next line when nothing follows there. A phrase that is
   denied ("I don't think the answer is A", "the answer is not A") or only supposed ("if the answer is A") decides nothing; the one before it does,
   unless it names what a later one denies;
3. the whole response, or a line of it, when it is nothing but a letter (`B`, `**B**`, `(b)`, `B.`), a letter with its
   option (`B) text ...`), or the text of an option. Lines that name different options decide nothing.

A letter in prose is not an answer: "A cat sleeps" or "I think" name no option. After a phrase a letter may be
followed by words when it is in brackets or followed by `.`, `)` or `:`, or when the words are its option's text or
go on with "because", "since" and the like. Two letters ("A or B"), or a letter and the text of another option ("B) Mars" where Mars is A), are no
answer. A letter comes before a text: where the options are letters themselves, `B` means the second one.

Cyrillic and Greek letters that look like A, B, C, E, H, I, J stand for them.

A text names an option that is equal to it exactly; failing that, without quotes, final punctuation and a wrapper (markdown, $...$, LaTeX text commands);
failing that, in any case; failing that, without any markup. Each step must leave one option only: where the options are AA, Aa and aa, or 5 and -5, a text that
fits several of them names none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from ..common.names import MULTIPLE_CHOICE_LETTERS
from .answers import denied, last_boxed, phrase_spans, supposed
from .verdict import Closing, Verdict, fingerprint_of, no_answer, ruled_out

_ALIKE = str.maketrans("АВСЕНІЈавсеніјΑΒΕΗΙαβεηι", "ABCEHIJabcehijABEHIabehi")
_ONE = r"[A-Ja-jАВСЕНІЈавсеніјΑΒΕΗΙ]"
_QUOTES = "\"'“”‘’«»„"
_SURELY = r"(?:definitely|clearly|certainly|surely|obviously|therefore|thus|hence|actually|indeed|simply|most likely|likely|probably)"
_LEAD = re.compile(
    r"^(?:(?:the\s+)?(?:(?:correct|right|best|final)\s+)?(?:option|choice|letter|answer)\b[\s:]*(?:is\b[\s:]*)?|"
    + _SURELY
    + r"\b[\s,:]*)+",
    re.IGNORECASE,
)
_LETTER = re.compile(
    rf"^(?:\((?P<round>{_ONE})\)|\[(?P<square>{_ONE})\]|\{{(?P<curly>{_ONE})\}}|(?P<bare>{_ONE})(?P<mark>[.):](?!\w)|(?![\w+#])))"
    r"(?P<rest>.*)",
    re.S,
)
_JOINED = re.compile(
    r"^[\s,;]*\b(?:because|since|as|which|that|for|so|therefore|not|rather|due|and|but|while|where|when|given|i\.e|that is)\b|^\s+[-–—(]",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    rf"^\s*(?:,|;|/|&|\+|,?\s*(?:or|and)\b)\s*(?:(?:maybe|perhaps|possibly|also|both|either)\s+)*(?:(?:option|choice)\s+)?(?:\({_ONE}\)|[A-JАВСЕНІЈ]\b(?!'))"
)
_TEXT_AND_LETTER = re.compile(
    rf"^(?P<text>.+?)[\s,;:–—-]*(?:\((?:(?:option|choice|letter|answer)\s+)?(?P<round>{_ONE})\)|\b(?:option|choice|letter)\s+\(?(?P<named>[A-J])\)?)[\s.,;:!?]*$",
    re.IGNORECASE | re.S,
)
_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|tt|bb)|emph|underline|mbox|operatorname)\s*\{([^{}]*)\}"
)
_MARKUP = re.compile(r"[*_`$]|\\[()\[\]]|</?(?:final_)?answer>|</?(?:b|strong|i|em|u|p)>", re.IGNORECASE)
_BULLET = re.compile(r"^(?:\s*(?:#+|>|[-+](?=\s)|[=:]))+\s*")
_WRAPPERS = re.compile(
    r"(?P<mark>\*{1,3}|_{1,3}|`{1,3}|\${1,2})(?P<marked>(?:(?!(?P=mark)).)+)(?P=mark)|\\\((?P<math>[^()]+)\\\)|\\\[(?P<display>[^\[\]]+)\\\]"
)
_BETWEEN = re.compile(r"^[\s,;:.)]*(?:[–—-]\s+)?(?:\(|i\.e\.,?\s+|that is,?\s+)?")
_DENIED_AFTER = re.compile(rf"^(?:n['’]t|(?:{_SURELY}[\s,]+)?(?:not|never)\b)", re.IGNORECASE)
PHRASES = 20
"""So many phrases, from the last one on, are looked at."""


def plain(text: str) -> str:
    """`text` without markdown, LaTeX text commands and signs of formulas, blanks as one space."""
    text = _COMMAND.sub(r"\1", unicodedata.normalize("NFKC", text))
    text = re.sub(r"\s+", " ", _MARKUP.sub("", text)).strip()
    return _BULLET.sub("", text).strip()


def exact(text: str) -> str:
    """Unicode's composed form (a superscript stays one), blanks as one space."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def tidy(text: str) -> str:
    """`exact` without what stands around an answer: quotes, final punctuation, a wrapper of all of it."""
    text, before = exact(text), None
    while text != before:
        before = text
        if match := _WRAPPERS.fullmatch(text) or _COMMAND.fullmatch(text):
            text = next(group for group in match.groups()[::-1] if group is not None).strip()
        if len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
            text = text[1:-1].strip()
        text = text.rstrip(".,;:!?").rstrip() or text
    return text


def folded(text: str) -> str:
    """The loosest form: no markup, no quotes and final punctuation, no case."""
    return plain(text).strip(_QUOTES).rstrip(".,;:!?").strip(_QUOTES).casefold()


STEPS = (exact, tidy, lambda text: tidy(text).casefold(), folded)
"""Ever looser forms in which texts are compared."""


class Options:
    """The options of one question."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.texts = [[step(choice) for choice in choices] for step in STEPS]
        self.letters = MULTIPLE_CHOICE_LETTERS[: len(choices)]
        self.longest = 4 * max(map(len, choices)) + 200
        """Characters: a text that is longer, with whatever markup, is no option's."""

    def by_text(self, text: str) -> str | None:
        """The letter of the option with this text; of several that are one answer the first."""
        if len(text) > self.longest:
            return None
        for step, texts in zip(STEPS, self.texts, strict=True):
            form = step(text)
            found = [letter for letter, each in zip(self.letters, texts, strict=True) if form and each == form]
            if found:
                return found[0] if len({self.text_of(letter) for letter in found}) == 1 else None
        return None

    def text_of(self, letter: str) -> str:
        """The tidy text of an option; two options with one text are the same answer."""
        return self.texts[1][self.letters.index(letter)]

    def starts(self, letter: str, rest: str) -> bool:
        """Whether `rest` begins with the text of the option."""
        return re.match(re.escape(self.texts[3][self.letters.index(letter)]) + r"(?!\w)", folded(rest)) is not None

    def first_by_text(self, texts: Sequence[str]) -> str | None:
        """The letter of the option that the first of `texts` names which names any."""
        return next((letter for each in texts if (letter := self.by_text(each))), None)

    def named(self, text: str, prose: bool) -> str | None:
        """The letter of the option that `text` names from its start; None when it names none, or more than one.

        Args:
            prose: whether words may follow the letter (after a phrase they may, on a line of its own they may not).
        """
        # With its markup a text may be one option's, without it another's: it is tried first as it stands.
        forms = [
            form for each in (tidy(text), plain(text)) for form in (each, _LEAD.sub("", each).lstrip(_QUOTES + " "))
        ]
        match = _LETTER.match(forms[-1])
        letter = (match["round"] or match["square"] or match["curly"] or match["bare"]) if match else ""
        letter = letter.translate(_ALIKE).upper()
        if not match or not letter or letter not in self.letters:
            return self.first_by_text(forms) or self._text_and_letter(forms[-1])
        rest, bare = match["rest"], match["bare"]
        if not rest.strip(" .,;:!?" + _QUOTES):
            return letter
        if whole := self.first_by_text(forms):
            return whole
        rests = [each["rest"] for form in (forms[1], forms[-1]) if (each := _LETTER.match(form))]
        following = self.first_by_text([form for each in rests for form in (each, _BETWEEN.sub("", each))])
        if following:
            return letter if self.text_of(following) == self.text_of(letter) else None
        explicit = bare is None or match["mark"] == ")" or (bare.isupper() and bool(match["mark"]))
        if _ANOTHER.match(rest):
            return None
        if not prose:
            return letter if explicit and self.starts(letter, rest) else None
        return letter if explicit or (bare.isupper() and _JOINED.match(rest)) else None

    def _text_and_letter(self, text: str) -> str | None:
        """`Venus (B)`: the text of an option and its letter."""
        match = _TEXT_AND_LETTER.match(text) if len(text) <= self.longest else None
        if not match:
            return None
        letter = (match["round"] or match["named"]).translate(_ALIKE).upper()
        found = self.by_text(match["text"])
        return found if found and letter in self.letters and self.text_of(letter) == self.text_of(found) else None


def _after_phrases(response: str, options: Options, phrases: list[str]) -> tuple[bool, str | None]:
    """(whether a phrase decides, the letter it names)."""
    ruled: set[str | None] = set()
    for start, end in reversed(phrase_spans(response, phrases)[-PHRASES:]):
        line, _, below = response[end:].partition("\n")
        if not plain(line):
            line = next((each for each in below.splitlines() if plain(each)), "")
        if (no := _DENIED_AFTER.match(plain(line))) and not options.by_text(line):
            ruled.add(options.named(plain(line)[no.end() :], prose=True))
        elif denied(response, start):
            ruled.add(options.named(line, prose=True))
        elif not supposed(response, start):
            letter = options.named(line, prose=True)
            return True, None if letter in ruled else letter
    return bool(ruled), None


def found_letter(response: str, choices: Sequence[str], phrases: list[str]) -> str | None:
    """The letter that `response` settles on; None when it names no option, or several."""
    options = Options(choices)
    boxed = last_boxed(response)
    if boxed is not None and (letter := options.named(boxed, prose=True)):
        return letter
    decided, letter = _after_phrases(response, options, phrases)
    if decided:
        return letter
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
