"""The 25 verifiable instructions of IFEval (Zhou et al. 2023, arXiv:2311.07911), each as a check of a response.

Each check is a function of (response, arguments, language) that says whether the response follows the instruction. What
counts is what the reference implementation counts
(https://github.com/google-research/google-research/tree/master/instruction_following_eval), but keywords are texts, not
regular expressions, and every check takes time linear in the response, whatever it holds.

`language` is that of the prompts. For `ru` (ruIFEval, https://github.com/NLP-Core-Team/ruIFEval) keywords are compared
by their lemmas, fixed answers are Russian, "English" of the case instructions means Russian, whose language is told from
the lower-case text (no language model knows capitals), and a response may be quoted in «...» and “...” too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .language import language_of
from .russian import lemmas
from .sentences import count_capital_words, count_sentences, count_words

Arguments = Mapping[str, Any]
Check = Callable[[str, Arguments, str], bool]

RELATIONS = ("less than", "at least")

ANSWERS = {
    "en": ("My answer is yes.", "My answer is no.", "My answer is maybe."),
    "ru": ("Мой ответ — да", "Мой ответ — нет", "Мой ответ — возможно"),
}
"""What `constrained_response` chooses from."""

QUOTES = {"en": {'"': '"'}, "ru": {'"': '"', "«": "»", "“": "”", "„": "“"}}


def _compared(count: int, relation: str, limit: int) -> bool:
    return count < limit if relation == "less than" else count >= limit


def _folded(text: str, language: str) -> str:
    """The form in which keywords are looked for: no case, and in Russian lemmas."""
    return (lemmas(text) if language == "ru" else "") or text.lower()


def _existence(response: str, arguments: Arguments, language: str) -> bool:
    text = _folded(response, language)
    return all(_folded(word, language) in text for word in arguments["keywords"])


def _frequency(response: str, arguments: Arguments, language: str) -> bool:
    count = _folded(response, language).count(_folded(arguments["keyword"].strip(), language))
    return _compared(count, arguments["relation"], arguments["frequency"])


def _forbidden_words(response: str, arguments: Arguments, language: str) -> bool:
    text = _folded(response, language)
    words = (_folded(word, language).strip() for word in arguments["forbidden_words"])
    return not any(re.search(rf"\b{re.escape(word)}\b", text) for word in words)


def _letter_frequency(response: str, arguments: Arguments, language: str) -> bool:
    count = response.lower().count(arguments["letter"].lower())
    return _compared(count, arguments["let_relation"], arguments["let_frequency"])


def _response_language(response: str, arguments: Arguments, language: str) -> bool:
    return language_of(response) in (arguments["language"], None)


def _number_sentences(response: str, arguments: Arguments, language: str) -> bool:
    return _compared(count_sentences(response, language), arguments["relation"], arguments["num_sentences"])


def _number_paragraphs(response: str, arguments: Arguments, language: str) -> bool:
    first, *middle = response.split("***")
    last = middle.pop() if middle else ""
    if not all(each.strip() for each in middle):
        return False
    return len(middle) + bool(first.strip()) + bool(last.strip()) == arguments["num_paragraphs"]


def _number_words(response: str, arguments: Arguments, language: str) -> bool:
    return _compared(count_words(response), arguments["relation"], arguments["num_words"])


def _nth_paragraph_first_word(response: str, arguments: Arguments, language: str) -> bool:
    paragraphs = response.split("\n\n")
    number = sum(bool(each.strip()) for each in paragraphs)
    place = arguments["nth_paragraph"]
    if number != arguments["num_paragraphs"] or not 1 <= place <= number or not paragraphs[place - 1].strip():
        return False
    word = paragraphs[place - 1].split()[0].lstrip("'").lstrip('"')
    return re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == arguments["first_word"].lower()


def _number_placeholders(response: str, arguments: Arguments, language: str) -> bool:
    count = 0
    for line in response.split("\n"):
        end = -1
        while (start := line.find("[", end + 1)) >= 0 and (end := line.find("]", start)) >= 0:
            count += 1
    return count >= arguments["num_placeholders"]


def _postscript(response: str, arguments: Arguments, language: str) -> bool:
    marker = re.sub(r"\s+", "", arguments["postscript_marker"]).lower()
    if marker == "p.p.s":
        pattern = r"p\.\s?p\.\s?s"
    elif marker == "p.s.":
        pattern = r"p\.\s?s\."
    else:
        pattern = re.escape(arguments["postscript_marker"].strip().lower())
    return re.search(pattern, response.lower()) is not None


def _number_bullet_lists(response: str, arguments: Arguments, language: str) -> bool:
    lines = response.split("\n")
    stars = dashes = 0
    number = 0
    while number < len(lines):
        text = lines[number].lstrip()
        dashes += lines[number].lstrip().startswith("-")
        if text == "*" and number + 1 < len(lines):
            # A star alone is a bullet together with the line below it.
            stars += 1
            number += 1
            dashes += lines[number].lstrip().startswith("-")
        elif text.startswith("*") and text[1:2] not in ("", "*"):
            stars += 1
        number += 1
    return stars + dashes == arguments["num_bullets"]


def _constrained_response(response: str, arguments: Arguments, language: str) -> bool:
    if language == "ru":
        response = response.replace("-", "—").replace("–", "—")
    return any(answer in response for answer in ANSWERS[language])


def _number_highlighted_sections(response: str, arguments: Arguments, language: str) -> bool:
    single = (each.strip("*") for each in re.findall(r"\*[^\n*]*\*", response))
    double = (each.removeprefix("**").removesuffix("**") for each in re.findall(r"\*\*[^\n*]*\*\*", response))
    return sum(bool(each.strip()) for way in (single, double) for each in way) >= arguments["num_highlights"]


def _multiple_sections(response: str, arguments: Arguments, language: str) -> bool:
    # ruIFEval's sections may be lettered: it asks for "РАЗДЕЛ X", which may be typed with either alphabet's letter.
    number = r"(?:[\dA-Za-z]|Х\b)" if language == "ru" else r"\d"
    word = re.escape(arguments["section_spliter"].strip())
    return len(re.findall(rf"{word}\s?{number}", response)) >= arguments["num_sections"]


def _json_format(response: str, arguments: Arguments, language: str) -> bool:
    text = response.strip()
    for mark in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(mark)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def _title(response: str, arguments: Arguments, language: str) -> bool:
    for line in response.split("\n"):
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end - 2 and line[start:end].lstrip("<").rstrip(">").strip():
            return True
    return False


def _two_responses(response: str, arguments: Arguments, language: str) -> bool:
    parts = [each.strip() for each in response.split("******")]
    if not all(parts[1:-1]):
        return False
    given = [each for each in parts if each]
    return len(given) == 2 and given[0] != given[1]


def _repeat_prompt(response: str, arguments: Arguments, language: str) -> bool:
    return response.strip().lower().startswith(arguments["prompt_to_repeat"].strip().lower())


def _end_checker(response: str, arguments: Arguments, language: str) -> bool:
    return response.strip().strip('"').lower().endswith(arguments["end_phrase"].strip().lower())


def _capital_word_frequency(response: str, arguments: Arguments, language: str) -> bool:
    return _compared(count_capital_words(response), arguments["capital_relation"], arguments["capital_frequency"])


def _in_own_language(response: str, language: str) -> bool:
    return language_of(response.lower() if language == "ru" else response) in (language, None)


def _capital(response: str, arguments: Arguments, language: str) -> bool:
    return response.isupper() and _in_own_language(response, language)


def _lowercase(response: str, arguments: Arguments, language: str) -> bool:
    return response.islower() and _in_own_language(response, language)


def _no_comma(response: str, arguments: Arguments, language: str) -> bool:
    return "," not in response


def _quotation(response: str, arguments: Arguments, language: str) -> bool:
    text = response.strip()
    return len(text) > 1 and QUOTES[language].get(text[0]) == text[-1]


_COUNT, _TEXT, _TEXTS, _RELATION = "a whole number", "a text", "a list of texts", "'less than' or 'at least'"

CHECKS: dict[str, tuple[Check, dict[str, str]]] = {
    "change_case:capital_word_frequency": (
        _capital_word_frequency, {"capital_frequency": _COUNT, "capital_relation": _RELATION},
    ),
    "change_case:english_capital": (_capital, {}),
    "change_case:english_lowercase": (_lowercase, {}),
    "combination:repeat_prompt": (_repeat_prompt, {"prompt_to_repeat": _TEXT}),
    "combination:two_responses": (_two_responses, {}),
    "detectable_content:number_placeholders": (_number_placeholders, {"num_placeholders": _COUNT}),
    "detectable_content:postscript": (_postscript, {"postscript_marker": _TEXT}),
    "detectable_format:constrained_response": (_constrained_response, {}),
    "detectable_format:json_format": (_json_format, {}),
    "detectable_format:multiple_sections": (_multiple_sections, {"section_spliter": _TEXT, "num_sections": _COUNT}),
    "detectable_format:number_bullet_lists": (_number_bullet_lists, {"num_bullets": _COUNT}),
    "detectable_format:number_highlighted_sections": (_number_highlighted_sections, {"num_highlights": _COUNT}),
    "detectable_format:title": (_title, {}),
    "keywords:existence": (_existence, {"keywords": _TEXTS}),
    "keywords:forbidden_words": (_forbidden_words, {"forbidden_words": _TEXTS}),
    "keywords:frequency": (_frequency, {"keyword": _TEXT, "frequency": _COUNT, "relation": _RELATION}),
    "keywords:letter_frequency": (
        _letter_frequency, {"letter": _TEXT, "let_frequency": _COUNT, "let_relation": _RELATION},
    ),
    "language:response_language": (_response_language, {"language": _TEXT}),
    "length_constraints:nth_paragraph_first_word": (
        _nth_paragraph_first_word, {"num_paragraphs": _COUNT, "nth_paragraph": _COUNT, "first_word": _TEXT},
    ),
    "length_constraints:number_paragraphs": (_number_paragraphs, {"num_paragraphs": _COUNT}),
    "length_constraints:number_sentences": (_number_sentences, {"num_sentences": _COUNT, "relation": _RELATION}),
    "length_constraints:number_words": (_number_words, {"num_words": _COUNT, "relation": _RELATION}),
    "punctuation:no_comma": (_no_comma, {}),
    "startend:end_checker": (_end_checker, {"end_phrase": _TEXT}),
    "startend:quotation": (_quotation, {}),
}  # fmt: skip
"""Instruction id -> (its check, what its arguments must be)."""


def _is(value: Any, kind: str) -> bool:
    if kind == _COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if kind == _RELATION:
        return value in RELATIONS
    if kind == _TEXTS:
        return isinstance(value, list) and bool(value) and all(_is(each, _TEXT) for each in value)
    return isinstance(value, str) and bool(value.strip())


def check_arguments(instruction: str, arguments: Any) -> None:
    """Raise ValueError unless `instruction` is known and `arguments` (null ones count as not given) are what it needs."""
    if instruction not in CHECKS:
        raise ValueError(f"there is no instruction {instruction!r}; known: {', '.join(CHECKS)}")
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {instruction} are no object")
    for name, kind in CHECKS[instruction][1].items():
        if not _is(arguments.get(name), kind):
            raise ValueError(f"{instruction} needs {name}, {kind}; it is {arguments.get(name)!r}")


def follows(instruction: str, arguments: Arguments, response: str, language: str) -> bool:
    """Whether `response` follows one instruction; a blank response follows none."""
    return bool(response.strip()) and CHECKS[instruction][0](response, arguments, language)
