"""The fast path never differs from Math-Verify where it decides: not in the verdict, not in the forms that vote."""

import logging
import os
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from math_pairs import data_folder, generated, perturbed, real_answers, tables
from thoughtline.verdicts.math import MATH_VERIFY, compare
from thoughtline.verdicts.plain_math import decide, number_form, read
from thoughtline.verdicts.strict_math import CHECKS

PAIRS = int(os.environ.get("THOUGHTLINE_PAIRS", "2400"))


@pytest.fixture(scope="module", autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def disagreements(pairs, leniency=MATH_VERIFY):
    """(pairs that were decided, those among them on which Math-Verify says something else)."""
    unusual = frozenset(name for name in MATH_VERIFY if leniency[name] != MATH_VERIFY[name])
    decided, found = 0, []
    for reference, answer in pairs:
        fast = decide(reference, answer, leniency["decimals"], unusual)
        if fast is None:
            continue
        decided += 1
        slow = compare({"reference": reference, "answer": answer, "leniency": leniency})
        if fast != slow:
            found.append((reference, answer, fast, slow))
    return decided, found


def test_every_form_alone():
    texts = sorted(text for by_form in tables()[1] for each in by_form.values() for text in each)
    chosen = texts[::4] if PAIRS < 10_000 else texts
    decided, found = disagreements((text, text) for text in chosen)
    assert found == []
    assert decided == len(chosen)
    assert len(texts) > 1500


@pytest.mark.parametrize(
    "text",
    ["42", "-42", "1,234", "3.14", ".5", "1,234.5", "1/2", "-10/4", r"\frac{1}{2}", r"-\dfrac12", r"2\frac{1}{2}", "2 1/2", "50%",
     r"50\%", r"90^\circ", "5 cm", r"5\text{ cm}^2", r"\$5", "$42$", "x = 5", r"\{1, 2\}", "1, 2, 3", "(1, 2)", r"\left(1, 2\right]",
     r"(-\infty, 3)", "(1, 1/2, 3)", r"\text{Evelyn}", r"\text{(C)}", "B", r"11,\! 111"],
)  # fmt: skip
def test_what_is_read(text):
    assert decide(text, text)["equal"]


def test_thousands_of_generated_pairs():
    decided, found = disagreements(generated(PAIRS, seed=1))
    assert found == []
    assert decided > 0.7 * PAIRS


@pytest.mark.parametrize("name", [*CHECKS, "relations_for_sets", "other_variables", "decimals"])
def test_generated_pairs_when_a_leniency_is_changed(name):
    changed = 3 if name == "decimals" else not MATH_VERIFY[name]
    decided, found = disagreements(generated(200, seed=2), {**MATH_VERIFY, name: changed})
    assert found == []
    assert decided > 50


def test_all_strict():
    strict = dict.fromkeys(CHECKS, False)
    decided, found = disagreements(generated(500, seed=3), {**MATH_VERIFY, **strict})
    assert found == []
    assert decided > 100


numerals = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.decimals(-2, 2, places=7).map(str),
    st.tuples(st.integers(-60, 60), st.integers(1, 60)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
    st.tuples(st.integers(0, 60), st.integers(1, 60)).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
    st.integers(0, 300).map(lambda number: rf"{number}\%"),
)
characters = st.text(alphabet="0123456789.,-+/\\{}()[]$%^_ frac12xA=!\u2212\u00b0", max_size=12)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(numerals, numerals)
def test_any_two_numbers(reference, answer):
    assert disagreements([(reference, answer)])[1] == []


@settings(max_examples=2500, deadline=None, derandomize=True, database=None)
@given(characters, characters)
def test_any_characters(reference, answer):
    for text in (reference, answer):
        if read(text) is not None:
            assert disagreements([(text, text), (text, "5"), ("5", text)])[1] == []


@pytest.mark.skipif(data_folder() is None, reason="THOUGHTLINE_DATA names no folder of real data sets")
def test_answers_of_real_sets():
    rng = random.Random(4)
    for name, answers in real_answers(data_folder()).items():
        chosen = answers if len(answers) <= 500 else rng.sample(answers, 500)
        pairs = [
            *((each, each) for each in chosen),
            *((each, perturbed(each, rng)) for each in chosen),
            *((each, rng.choice(answers)) for each in chosen),
        ]
        decided, found = disagreements(pairs)
        assert found == [], name
        assert decided > 0.5 * len(pairs), name


@given(st.fractions())
def test_one_form_for_one_number(number):
    form = number_form(number)
    assert Fraction(form) == number
    assert form == number_form(Fraction(form))
    assert "e" not in form


@pytest.mark.parametrize(
    "text",
    ["", " ", "5.", "1 234", "0,234", "1/0", r"\frac{1}{0}", "1e5", "5!", "4343_6", "5x", "x", "pi", "90°", "€5",
     "5 6", "-50%", "50.5%", "1,234%", r"\{1\}", "1,234,5", "1,1", "[2,1]", "0.12345678901234567", "9" * 200, "5 apples",
     r"\text{two words}", r"\text{and}", "١٢", "𝟏"]
)  # fmt: skip
def test_what_is_left_to_math_verify(text):
    assert decide(text, text) is None
