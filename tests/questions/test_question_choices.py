"""Multiple choice: the right option is found however a source names it, and its letter gives nothing away."""

import json
from collections import Counter

import pytest
from small_sets import settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.common.rows import question_id
from thoughtline.questions.choices import Options, canonical_order, convention_of, options_of, resolve, shuffled

MC = {"choices": "choices", "answer": "answer"}


@pytest.mark.parametrize(
    ("answers", "convention"),
    [
        (["Mars", "Venus"], "text"),
        (["mars ", "VENUS"], "text"),
        (["A", "C"], "letter"),
        (["(b)", "D."], "letter"),
        ([0, 3], "index"),
        (["0", "2"], "index"),
        ([1.0, 2.0], "index"),
        ([4, 1], "number"),
    ],
)
def test_convention_of_a_source(answers, convention):
    options = Options(["Mars", "Venus", "Earth", "Pluto"])
    assert convention_of([(answer, options) for answer in answers]) == convention


def test_numbers_as_options_do_not_confuse_texts_and_indices():
    rows = [(index, Options(["3", "4", "5", "6"])) for index in (0, 1, 2, 3)]
    assert convention_of(rows) == "index"  # as texts only one of these answers would name an option
    assert resolve(3, rows[0][1], "index") == 3
    assert convention_of([(text, Options(["3", "4", "5", "6"])) for text in ("3", "5", "6")]) == "text"


def test_labels_of_the_source():
    options = options_of({"label": ["1", "2", "3"], "text": ["ice", "steam", "water"]})
    assert options == Options(["ice", "steam", "water"], ["1", "2", "3"])
    assert convention_of([("3", options), ("1", options)]) == "label"
    assert resolve("3", options, "label") == 2


def test_no_convention_and_no_options():
    assert convention_of([("Saturn", Options(["Mars", "Venus"]))]) is None
    assert options_of(None) is None
    assert options_of([]) is None


@pytest.mark.parametrize(
    "value", ["abc", ["one"], ["a", ""], list("abcdefghijk"), {"text": ["a", "b"], "label": ["1"]}, {"a": "b"}]
)
def test_bad_options(value):
    with pytest.raises(ValueError, match=r"option"):
        options_of(value)


def test_options_that_speak_of_their_position_stay_where_they_are():
    for last in ("All of the above", "none of the above", "both A and B", "A and C", "Neither of the preceding"):
        texts = ["x", "y", "z", last]
        assert all(shuffled(texts, f"{number:032x}") == texts for number in range(20))
    texts = ["above the equator", "blood group A", "x", "the following day"]
    assert any(shuffled(texts, f"{number:032x}") != texts for number in range(20))


@pytest.mark.parametrize("style", ["text", "letter", "index", "label"])
def test_gold_letters_are_uniform_although_the_source_always_says_the_same_letter(style, jsonl, written):
    rows = []
    for number in range(600):
        texts = [f"wrong {number} {each}" for each in "abc"] + [f"right {number}"]
        choices = {"text": texts, "label": list("wxyz")} if style == "label" else texts
        answer = {"text": texts[3], "letter": "D", "index": 3, "label": "z"}[style]
        rows.append({"problem": f"What is {number}?", "choices": choices, "answer": answer})
    (shard,) = written(settings_of(source_of(path=jsonl(rows), fields=MC), domain="science"))
    assert len(shard) == 600
    assert all(row["answer"].startswith("right") for row in shard)
    letters = Counter(row["choices"].index(row["answer"]) for row in shard)
    # 150 each; the standard deviation of one count is about 10.6.
    assert set(letters) == {0, 1, 2, 3}
    assert all(105 <= count <= 195 for count in letters.values()), letters


CRITICAL = {2: 6.63, 3: 9.21, 4: 11.34, 5: 13.28, 6: 15.09, 8: 18.48, 10: 21.67}
"""Options -> chi-square that uniform letters exceed once in a hundred times (one degree of freedom less than options)."""


@pytest.mark.parametrize("size", CRITICAL)
@pytest.mark.parametrize("gold", ["first", "last"])
def test_letters_of_right_options_pass_a_chi_square_test(size, gold):
    counts = Counter()
    for number in range(3000):
        texts = [f"{each} of {number}" for each in range(size)]
        right = texts[0 if gold == "first" else -1]
        shown = shuffled(texts, question_id("science", f"What is {number}?", canonical_order(texts)))
        assert sorted(shown) == sorted(texts)
        counts[shown.index(right)] += 1
    expected = 3000 / size
    assert sum((counts[place] - expected) ** 2 / expected for place in range(size)) < CRITICAL[size], counts


def test_the_letter_of_an_answer_does_not_depend_on_its_text():
    """The same options in every question: each is right somewhere, and none prefers a letter."""
    counts = Counter()
    for number in range(3000):
        shown = shuffled(["yes", "no", "unknown"], question_id("science", f"Is it {number}?", ["no", "unknown", "yes"]))
        counts.update(enumerate(shown))
    for text in ("yes", "no", "unknown"):
        assert sum((counts[place, text] - 1000) ** 2 / 1000 for place in range(3)) < CRITICAL[3]


def test_same_question_with_its_options_in_another_order_is_the_same_row(jsonl, written):
    one = {"problem": "Which is a planet?", "choices": ["Mars", "Io", "Sun"], "answer": "A"}
    two = {"problem": "Which is a planet?", "choices": ["Io", "Sun", "Mars"], "answer": "C"}
    (first,) = written(settings_of(source_of(path=jsonl([one]), fields=MC), domain="science"))
    (second,) = written(settings_of(source_of(path=jsonl([two]), fields=MC), domain="science"))
    assert first == second
    assert first[0]["answer"] == "Mars"


def test_unusable_rows_are_dropped_with_their_reason(jsonl, curated):
    rows = [
        {"problem": "good", "choices": ["a", "b"], "answer": "a"},
        {"problem": "no such option", "choices": ["c", "d"], "answer": "x"},
        {"problem": "right one twice", "choices": ["e", "e"], "answer": "e"},
        {"problem": "one option", "choices": ["f"], "answer": "f"},
        {"problem": "no reference", "choices": ["g", "h"], "answer": None},
        {"problem": "wrong one twice", "choices": ["i", "j", "j"], "answer": "i"},
    ]
    pool = curated(settings_of(source_of(path=jsonl(rows), fields=MC), domain="science"))
    assert sorted(question["problem"] for question in pool.questions) == ["good", "no reference", "wrong one twice"]
    assert {row["problem"]: row["reason"] for row in pool.dropped} == {
        "no such option": "no_matching_choice", "right one twice": "bad_choices", "one option": "bad_choices",
    }  # fmt: skip
    assert {question["problem"]: question["answer"] for question in pool.questions}["no reference"] is None


def test_answers_that_name_no_option_at_all_stop_the_set(jsonl, curated):
    path = jsonl([{"problem": "p", "choices": ["Mars", "Io"], "answer": "Saturn"}])
    with pytest.raises(
        UserError, match=r"sources\.a\.fields\.answer: no answer names one of its options: 'Saturn' among"
    ):
        curated(settings_of(source_of(path=path, fields=MC), domain="science"))


def test_the_option_is_kept_as_written(jsonl, written):
    row = {"problem": "p", "choices": ["CO2", "co2 ", "H2O"], "answer": "co2"}
    (shard,) = written(settings_of(source_of(path=jsonl([row]), fields=MC), domain="science"))
    assert shard[0]["answer"] == "co2"
    assert sorted(shard[0]["choices"]) == ["CO2", "H2O", "co2"]
    assert json.loads(shard[0]["metadata"]) == {"source_index": 0}


def test_options_may_stand_in_columns_of_their_own(jsonl, written):
    row = {"Question": "Which is a star?", "Correct Answer": "Sun", "Wrong 1": "Mars", "Wrong 2": "Io"}
    fields = {"problem": "Question", "answer": "Correct Answer", "choices": ["Correct Answer", "Wrong 1", "Wrong 2"]}
    ((found,),) = written(settings_of(source_of(path=jsonl([row]), fields=fields), domain="science"))
    assert found["answer"] == "Sun"
    assert sorted(found["choices"]) == ["Io", "Mars", "Sun"]


def test_a_column_of_an_option_that_is_not_there(jsonl, written):
    fields = {"problem": "p", "answer": "a", "choices": ["a", "b"]}
    with pytest.raises(UserError, match=r"fields\.choices: the source has no column 'b'"):
        written(settings_of(source_of(path=jsonl([{"p": "Which?", "a": "x"}]), fields=fields), domain="science"))
