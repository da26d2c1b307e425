"""Benchmark items in training questions: what must be found, and what must not."""

import pytest
from rapidfuzz import fuzz
from thoughtline.datasets.decontaminate import Benchmarks, words

AIME = (
    r"Every morning Aya goes for a $9$-kilometer-long walk and stops at a coffee shop afterwards. When she walks at a constant "
    r"speed of $s$ kilometers per hour, the walk takes her 4 hours, including $t$ minutes spent in the coffee shop."
)
PREAMBLE = "You are a careful student. Solve the following problem step by step: "
CLEAN = "A farmer has three fields of different shapes, and wants to know how much fence he needs to enclose all of them together."


def benchmarks(items, ngram=13, containment=0.5, similarity=None):
    return Benchmarks({("aime", key): text for key, text in items.items()}, ngram, containment, similarity)


def test_an_item_behind_a_preamble_is_found():
    row = PREAMBLE + AIME
    assert len(words(PREAMBLE)) == 12
    assert fuzz.ratio(row, AIME) < 95, "what a ratio of 95 misses"
    hit = benchmarks({"i": AIME}).find(row)
    assert (hit.benchmark, hit.item) == ("aime", "i")
    assert str(hit) == "aime/i: 100 % of its n-grams"


def test_a_clean_row_is_clean():
    assert benchmarks({"i": AIME}, similarity=95).find(CLEAN) is None


def test_a_row_without_text_shifts_nothing():
    items = {"a": None, "b": "", "c": AIME, "d": None, "e": CLEAN}
    index = benchmarks(items)
    assert index.find(AIME).item == "c" and index.find("Well: " + CLEAN).item == "e"
    assert index.find("") is None and index.find("  ") is None


def test_punctuation_case_and_markup_do_not_hide_an_item():
    row = AIME.upper().replace("$", "").replace(",", " ;").replace("\\", "")
    assert benchmarks({"i": AIME}).find(row)


@pytest.mark.parametrize(("containment", "found"), [(0.5, True), (0.65, False)])
def test_containment_is_the_share_of_the_item(containment, found):
    # 40 words are 28 n-grams of 13; the row holds the first 29 words, 17 n-grams, 61 %.
    item = " ".join(f"w{number}" for number in range(40))
    row = (
        " ".join(f"w{number}" for number in range(29)) + " and then " + " ".join(f"x{number}" for number in range(500))
    )
    assert bool(benchmarks({"i": item}, containment=containment).find(row)) is found


def test_short_items_are_compared_whole():
    index = benchmarks({"i": "What is 12 plus 30?"})
    assert index.find("Please tell me: what is 12 plus 30? Show your steps.")
    assert index.find("What is 12 plus 31?") is None
    assert index.find("What is 112 plus 30?") is None, "words, not characters"


def test_items_without_words_are_compared_as_texts():
    index = benchmarks({"i": "∑ ∞ ≤ ?"})
    assert index.find("∑  ∞ ≤ ?").found == "the same text"
    assert index.find("∑ ∞ ≥ ?") is None


def test_the_template_of_a_benchmark_is_not_contamination():
    rules = "Knights always tell the truth and knaves always lie. You meet the people of an island and must tell who is what. "
    items = {str(number): f"{rules}Person {number} says that person {number + 50} is a knave." for number in range(5)}
    index = benchmarks(items)
    assert index.find(f"{rules}Person 33 says that person 7 is a knight, and so is 21.") is None
    assert index.find(f"Puzzle! {items['3']}").item == "3"


def test_items_of_nothing_but_template_are_compared_whole():
    same = {str(number): CLEAN for number in range(4)}
    assert benchmarks(same).find(PREAMBLE + CLEAN).item == "0"


def test_similarity_is_compared_when_asked():
    row = CLEAN.replace("f", "g")
    assert benchmarks({"i": CLEAN}).find(row) is None
    assert benchmarks({"i": CLEAN}, similarity=90).find(row).found.startswith("ratio 9")


def test_the_item_that_is_held_most_is_named():
    index = benchmarks({"a": CLEAN + " " + AIME, "b": AIME})
    assert index.find(AIME + " " + CLEAN[:60]).item == "b"


def test_other_scripts():
    item = "Найдите сумму всех целых чисел от одного до ста, которые делятся на три без остатка"
    assert benchmarks({"i": item}).find("Задача. " + item.upper() + ".")


def test_a_ratio_alone_misses_an_item_behind_a_preamble():
    item = "Find the number of ordered pairs of integers between one and twenty whose sum is a prime number."
    alone = Benchmarks({("aime", "1"): item}, None, 0.5, 95)
    assert alone.find(item) and alone.find(item.replace("twenty", "thirty"))
    behind = "Think about this one for as long as you need, then answer: " + item
    assert alone.find(behind) is None
    assert Benchmarks({("aime", "1"): item}, 8, 0.5, 95).find(behind)
