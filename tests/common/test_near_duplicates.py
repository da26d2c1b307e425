"""Near-duplicates against all pairs."""

import random
import string

import pytest
from rapidfuzz import fuzz
from thoughtline.common.near_duplicates import near_duplicates, rows_per_band, worst_jaccard

WORDS = ["find", "the", "number", "of", "ways", "sum", "prime", "integer", "triangle", "circle", "area", "how", "many"]
WORDS += ["apples", "Anna", "buys", "cars", "road", "speed"]


def texts(count, seed):
    """Problems and edited copies of some, edits anywhere in the text."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        if found and draw.random() < 0.5:
            letters = list(draw.choice(found))
            for _ in range(draw.randrange(1, 1 + len(letters) // 12)):
                place = draw.randrange(len(letters))
                letters[place : place + draw.randrange(2)] = draw.choice(string.ascii_lowercase)
            found.append("".join(letters))
        else:
            found.append(" ".join(draw.choice(WORDS) for _ in range(draw.randrange(12, 60))))
    return {f"{number:04d}": text for number, text in enumerate(found)}


def all_pairs(texts, similarity):
    kept, dropped = {}, {}
    for key, text in sorted(texts.items()):
        ratios = [(fuzz.ratio(text, other), -int(name), name) for name, other in kept.items()]
        best = max(ratios, default=(0, 0, ""))
        if best[0] >= similarity:
            dropped[key] = best[2]
        else:
            kept[key] = text
    return dropped


@pytest.mark.parametrize("similarity", [97, 95, 90, 75])
def test_the_proposals_lose_nothing(similarity):
    sample = {key: text.lower() for key, text in texts(300, seed=similarity).items()}
    expected = all_pairs(sample, similarity)
    assert len(expected) > 20
    assert near_duplicates(sample, similarity, 128) == expected


def test_the_bound_holds_for_the_worst_edits():
    base = "".join(chr(0x4E00 + number) for number in range(400))  # no shingle repeats
    for similarity in (99, 95, 90):
        count = int(2 * (100 / similarity - 1) * len(base))
        letters, gap = list(base), len(base) // count
        for number in range(count - 1, -1, -1):
            letters.insert(number * gap + gap // 2, chr(0x3040 + number))
        other = "".join(letters)
        assert fuzz.ratio(base, other) >= similarity
        first, second = ({text[place : place + 3] for place in range(len(text) - 2)} for text in (base, other))
        assert len(first & second) / len(first | second) >= worst_jaccard(similarity) - 0.005


def test_bands():
    assert rows_per_band(100, 128) == 128
    assert rows_per_band(95, 128) == 3
    assert rows_per_band(75, 128) is None
    assert rows_per_band(99, 128) > rows_per_band(95, 128)


def test_case_and_white_space_do_not_count_and_the_lower_id_wins():
    assert near_duplicates({"b": "How  many\nAPPLES?", "a": "how many apples?", "c": "other"}, 99, 64) == {"b": "a"}


def test_short_and_empty_texts():
    assert near_duplicates({"a": "", "b": "x", "c": "x", "d": "xy"}, 95, 64) == {"c": "b"}


def test_a_chain_of_small_changes_keeps_its_ends():
    chain = {str(number): "a" * (20 - number) + "b" * number for number in range(5)}
    # Each is 95 % like its neighbour and 90 % like the one after that.
    assert near_duplicates(chain, 95, 64) == {"1": "0", "3": "2"}
