"""Each verifiable instruction, by a response that follows it and one that does not, in English and in Russian."""

import random
import time

import pytest
from thoughtline.verdicts.checks import CHECKS, check_arguments, follows

ENGLISH = "The weather was fine, and the whole family went for a long walk along the river before dinner."
GERMAN = "Das Wetter war schön, und die ganze Familie machte vor dem Abendessen einen langen Spaziergang am Fluss."
RUSSIAN = "Погода была хорошая, и вся семья отправилась на долгую прогулку вдоль реки перед ужином."

CASES = [
    ("change_case:capital_word_frequency", {"capital_frequency": 3, "capital_relation": "at least"}, "A NEW IDEA", "A NEW idea"),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "less than"}, "NASA's and it's", "IT'S"),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH),
    ("change_case:english_capital", {}, ENGLISH.upper() + " 12", GERMAN.upper()),
    ("change_case:english_lowercase", {}, ENGLISH.lower(), ENGLISH),
    ("change_case:english_lowercase", {}, "oh no, the weather is bad today", GERMAN.lower()),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi. "}, "\nsay HI. Hi!", "Sure. Say hi. Hi!"),
    ("combination:two_responses", {}, "One.\n******\nTwo.", "One.\n******\nOne. "),
    ("combination:two_responses", {}, "******One.******Two.******", "One.******  ******Two."),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] and [address]", "[name] and [address"),
    ("detectable_content:number_placeholders", {"num_placeholders": 1}, "[[name]", "[a\nb]"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\nP. S. More.", "Bye.\nPS More."),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP.P.S. More.", "Bye.\nP.S. More."),
    ("detectable_content:postscript", {"postscript_marker": "Note:"}, "Bye. note: more", "Bye."),
    ("detectable_format:constrained_response", {}, "I thought. My answer is no. Really.", "My answer is: no."),
    ("detectable_format:json_format", {}, '```json\n{"a": [1, null]}\n```', '{"a": 1} that is all'),
    ("detectable_format:json_format", {}, "3", "{'a': 1}"),
    ("detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2}, "Section 1\na\nSection 2\nb", "Section 1\na\nsection 2"),
    ("detectable_format:multiple_sections", {"section_spliter": "Q (a)", "num_sections": 1}, "Q (a) 7", "Q a 7"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n  - b", "* a\n* b\n* c"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "** bold\n* a", "*\n** a\n-"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and *two*", "*one* and * *"),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 1}, "**one**", "*one\ntwo*"),
    ("detectable_format:title", {}, "<<a poem>>\ntext", "<<>> <poem>"),
    ("detectable_format:title", {}, "x << a >> y", "<< \n>> << >>"),
    ("keywords:existence", {"keywords": ["River", "c++"]}, "rivers of C++", "rivers of C"),
    ("keywords:forbidden_words", {"forbidden_words": ["art", "a.b"]}, "a party, axb", "Art!"),
    ("keywords:frequency", {"keyword": "fiesta ", "frequency": 2, "relation": "at least"}, "Fiesta, fiestas", "fiesta"),
    ("keywords:frequency", {"keyword": "fiesta", "frequency": 2, "relation": "less than"}, "fiesta", "fiesta fiesta"),
    ("keywords:letter_frequency", {"letter": "!", "let_frequency": 2, "let_relation": "at least"}, "Oh! No!", "Oh!"),
    ("keywords:letter_frequency", {"letter": "Q", "let_frequency": 1, "let_relation": "less than"}, "none", "quite"),
    ("language:response_language", {"language": "de"}, GERMAN, ENGLISH),
    ("language:response_language", {"language": "ru"}, RUSSIAN, ENGLISH),
    ("language:response_language", {"language": "kn"}, "12345 ...", ENGLISH),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Elm"}, "One.\n\n\"elm's trees", "One.\n\nAn elm"),
    ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "one"}, "One.\n\nTwo.", "One.\n\nTwo.\n\nThree."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n***\nTwo.\n***\n", "One.\n***\n\n***\nTwo."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 1}, "One.", "One.***Two."),
    ("length_constraints:number_sentences", {"num_sentences": 3, "relation": "at least"}, "One. Two! Three?", "Mr. Smith came at 3.30 p.m. in the rain."),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "He said no (really).", "He said. \"No.\""),
    ("length_constraints:number_words", {"num_words": 4, "relation": "at least"}, "one two-three four", "one, two... three!"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "one two", "it's two"),
    ("punctuation:no_comma", {}, "One; two", "One, two"),
    ("startend:end_checker", {"end_phrase": "That is all! "}, "So. that is ALL!\" ", "That is all!!"),
    ("startend:quotation", {}, ' "So it is." ', '"So" it is.'),
    ("startend:quotation", {}, '""', '"'),
]  # fmt: skip

IN_RUSSIAN = [
    ("change_case:english_capital", {}, RUSSIAN.upper(), RUSSIAN),
    ("change_case:english_capital", {}, RUSSIAN.upper(), ENGLISH.upper()),
    ("change_case:english_lowercase", {}, RUSSIAN.lower(), ENGLISH.lower()),
    ("detectable_content:postscript", {"postscript_marker": "P. S."}, "Пока.\nP.S. Ещё.", "Пока."),
    ("detectable_format:constrained_response", {}, "Мой ответ – да.", "Мой ответ да."),
    ("detectable_format:multiple_sections", {"section_spliter": "РАЗДЕЛ", "num_sections": 2}, "РАЗДЕЛ Х\nа\nРАЗДЕЛ II", "РАЗДЕЛ 1\nРАЗДЕЛ Хороший"),
    ("keywords:existence", {"keywords": ["стажёр", "python"]}, "Стажеров учат Python.", "Стаж и python"),
    ("keywords:existence", {"keywords": ["двоюродные братья"]}, "Знал двоюродного брата.", "Знал брата."),
    ("keywords:forbidden_words", {"forbidden_words": ["стартап ", "спрос"]}, "Запрос на старт.", "Без спроса."),
    ("keywords:frequency", {"keyword": "бомбы", "frequency": 2, "relation": "at least"}, "Бомба, бомбой.", "Бомба."),
    ("keywords:letter_frequency", {"letter": "Т", "let_frequency": 2, "let_relation": "less than"}, "Тень", "тот"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"},
     "А. С. Пушкин жил на ул. Мойка и т.д. здесь.", "Был. Жил."),
    ("startend:quotation", {}, "«Так и есть.»", "«Так» и есть."),
]  # fmt: skip


@pytest.mark.parametrize(("instruction", "arguments", "good", "bad"), CASES)
def test_both_ways(instruction, arguments, good, bad):
    check_arguments(instruction, arguments)
    assert follows(instruction, arguments, good, "en")
    assert not follows(instruction, arguments, bad, "en")


@pytest.mark.parametrize(("instruction", "arguments", "good", "bad"), IN_RUSSIAN)
def test_both_ways_in_russian(instruction, arguments, good, bad):
    assert follows(instruction, arguments, good, "ru")
    assert not follows(instruction, arguments, bad, "ru")


def test_every_instruction_has_a_case_and_blank_responses_follow_none():
    assert {case[0] for case in CASES} == set(CHECKS) and len(CHECKS) == 25
    for instruction, arguments, _, _ in CASES:
        assert not follows(instruction, arguments, " \n", "en")


@pytest.mark.parametrize(
    ("instruction", "arguments", "words"),
    [
        ("punctuation:no_coma", {}, "there is no instruction 'punctuation:no_coma'"),
        ("punctuation:no_comma", [], "are no object"),
        ("length_constraints:number_words", {"num_words": 3}, "needs relation, 'less than' or 'at least'; it is None"),
        ("length_constraints:number_words", {"num_words": "3", "relation": "at least"}, "needs num_words, a whole number"),
        ("keywords:existence", {"keywords": "one"}, "needs keywords, a list of texts"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(instruction, arguments, words):
    with pytest.raises(ValueError, match=words):
        check_arguments(instruction, arguments)


HOSTILE = {
    "blanks": " \n\t" * 5_000 + "x",
    "new lines": "\n" * 50_000 + "x",
    "open brackets": "[" * 50_000,
    "open titles": "<" * 50_000 + ">",
    "asterisks": "*" * 50_000 + "a",
    "stars and lines": "*\n" * 30_000,
    "full stops": "." * 50_000 + " a. " * 20_000,
    "marks": "a.(" * 20_000,
    "quotes": "\"'" * 30_000,
    "nested JSON": "[" * 30_000 + "]" * 30_000,
    "one word": "а" * 50_000,
    "words": " ".join(f"слово{n}" for n in range(20_000)),
    "addresses": "a@" * 30_000,
    "dashes": "—" * 50_000,
    "NUL and surrogate": "\x00\ud800" * 50_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_hostile_text_is_judged_in_bounded_time(kind, language):
    text = HOSTILE[kind]
    for instruction, arguments, _, _ in {case[0]: case for case in CASES}.values():
        started = time.process_time()
        first = follows(instruction, arguments, text, language)
        assert time.process_time() - started < 2, instruction
    assert isinstance(first, bool)


def test_language_is_told_alike_each_time():
    letters = random.Random(1)
    texts = ["".join(letters.choices("abdeilmnorstu  ", k=30)) for _ in range(20)]
    arguments = {"language": "it"}
    first = [follows("language:response_language", arguments, text, "en") for text in texts]
    again = [follows("language:response_language", arguments, text, "en") for text in reversed(texts)]
    assert first == again[::-1]
