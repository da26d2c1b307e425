"""Deduplication: the earlier question stays, and nothing else goes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz
from small_sets import problems, settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.questions.deduplicate import exact_duplicates, near_duplicates

WORDS = (
    "bag",
    "holds",
    "red",
    "blue",
    "marbles",
    "draws",
    "train",
    "leaves",
    "city",
    "speed",
    "hours",
    "prove",
    "digits",
    "prime",
)


def text(rng, words=30):
    return " ".join(rng.choice(WORDS) + str(rng.randrange(100)) for _ in range(words))


def with_insertions(rng, base, similarity):
    """`base` with single characters inserted far apart: just at least `similarity` percent, the worst case for shingles."""
    changed = list(base)
    count = int(2 * (1 - similarity / 100) / (similarity / 100) * len(base))
    step = len(base) / max(1, count)
    for place in reversed(range(count)):
        changed.insert(int(place * step), rng.choice("#@%&"))
    while fuzz.ratio(base, "".join(changed)) < similarity:
        changed.remove(next(sign for sign in changed if sign in "#@%&"))
    return "".join(changed)


def test_exact_duplicates_point_to_the_first():
    rows = [{"question_id": each} for each in "abacab"]
    assert exact_duplicates(rows) == {2: 0, 4: 0, 5: 1}


def test_identity_ignores_case_and_spaces_and_the_earlier_source_wins(jsonl, written, curated):
    first = source_of("first", jsonl([{"problem": "What is  2+2?", "s": "first"}], "1.jsonl"), fields={"solution": "s"})
    second = source_of("second", jsonl([{"problem": "what is 2+2? "}, {"problem": "3+3"}], "2.jsonl"))
    (shard,) = written(settings_of(first, second))
    assert sorted(problems(shard)) == ["3+3", "What is  2+2?"]
    pool = curated(settings_of(second, first))
    assert [(row["source"], row["reason"]) for row in pool.dropped] == [("first", "duplicate")]
    assert pool.dropped[0]["same_as"] in {question["question_id"] for question in pool.questions}


def test_options_are_part_of_the_question(jsonl, written):
    rows = [
        {"problem": "Which is largest?", "c": ["ant", "cat"]},
        {"problem": "Which is largest?", "c": ["the Moon", "Mars"]},
    ]
    source = source_of(path=jsonl(rows), fields={"choices": "c"})
    assert len(written(settings_of(source, domain="science", similarity=90))[0]) == 2


def test_without_exact_repeated_questions_stop_the_set(jsonl, curated):
    path = jsonl([{"problem": "p"}, {"problem": "q"}, {"problem": "P"}])
    with pytest.raises(UserError, match=r"deduplicate\.exact: is off, but a row 0 and a row 2 are the same question"):
        curated(settings_of(source_of(path=path), exact=False))


def test_near_duplicates_are_dropped_at_the_ratio(jsonl, curated):
    base = "A train leaves the city at noon with a speed of 60 km an hour. How far is it at 4 pm?"
    rows = [{"problem": base}, {"problem": base.replace("60", "61")}, {"problem": "How many primes are below 60?"}]
    ratio = fuzz.ratio(base.lower(), rows[1]["problem"].lower())
    pool = curated(settings_of(source_of(path=jsonl(rows)), similarity=95))
    assert pool.counts()["dropped"] == {"near_duplicate": 1}
    assert pool.dropped[0]["index_in_source"] == 1
    assert (
        curated(settings_of(source_of(path=jsonl(rows)), similarity=min(100.0, ratio + 0.1))).counts()["dropped"] == {}
    )


@given(
    texts=st.lists(st.text(alphabet="abc", max_size=12), max_size=25),
    similarity=st.sampled_from([50, 75, 90, 95, 100]),
)
@settings(max_examples=60, deadline=None)
def test_kept_texts_are_unlike_and_dropped_ones_are_like_a_kept_one_before_them(texts, similarity):
    found = near_duplicates(texts, similarity)
    kept = [place for place in range(len(texts)) if place not in found]
    for place in kept:
        assert all(fuzz.ratio(texts[place], texts[other]) < similarity for other in kept if other < place)
    for place, like in found.items():
        assert like in kept
        assert like < place
        assert fuzz.ratio(texts[place], texts[like]) >= similarity


@pytest.mark.parametrize("similarity", [95, 90])
def test_proposed_pairs_find_what_all_pairs_find(similarity):
    rng = random.Random(7)
    bases = [text(rng) for _ in range(150)]
    texts = bases + [with_insertions(rng, base, similarity) for base in bases]
    everything = near_duplicates(texts, similarity, all_pairs=len(texts))
    assert len(everything) == 150
    assert near_duplicates(texts, similarity, all_pairs=0) == everything


def test_a_similarity_too_low_for_minhash_compares_all_pairs():
    rng = random.Random(3)
    base = text(rng)
    assert near_duplicates([base, with_insertions(rng, base, 75)], 75, all_pairs=0) == {1: 0}
