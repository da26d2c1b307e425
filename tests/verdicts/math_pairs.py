"""Pairs of final answers in many surface forms, for the tests that hold the fast path against Math-Verify.

Everything is made from a seed; the answers of real sets are read where the folder THOUGHTLINE_DATA names has them.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from thoughtline.verdicts.plain_math import UNITS, read

INTEGERS = [
    "0",
    "1",
    "2",
    "5",
    "-5",
    "+5",
    "−5",
    "007",
    "42",
    "100",
    "200",
    "1,234",
    "-1,234",
    "12,345,678",
    "1234",
    "50",
    "3",
]
DECIMALS = [
    "0.5",
    ".5",
    "-.5",
    "0.50",
    "-0.5",
    "3.0",
    "3.14",
    "3.1400",
    "0.333333",
    "0.33",
    "1.0",
    "1,234.5",
    "1234.5",
    "0.333334",
    "0.3333335",
    "2.0000004",
]
FRACTIONS = [
    "1/2", "-1/2", "2/4", "1 / 2", "4/2", "0/5", "1/3", "-1/3", "5/3", "100/3", "1 1/2", "-1 1/2", "1 2/3", r"\frac{1}{2}",
    r"-\frac{1}{2}", r"\frac{-1}{2}", r"\dfrac{4}{2}", r"\tfrac{1}{3}", r"\frac12", r"\frac 1 2", r"\frac 12", r"\frac34",
    r"-\frac34", r"1\frac{1}{2}", r"1 \frac{1}{2}", r"-1\frac{1}{2}", r"2\frac12", r"\frac{5}{3}", r"\frac{100}{200}",
    r"\frac {1} {2}", r"- \frac{1}{2}", r"-\frac{-1}{2}", r"\frac{0}{5}", r"0\frac12", r"\frac{1}{0}", "1/0",
]  # fmt: skip
AROUND = ["{}", " {} ", "${}$", r"\({}\)", r"\[{}\]", "({})", "{}.", "{{{}}}", r"\boxed{{{}}}", "{}0", "--{}"]
BEFORE = [
    r"\${}",
    "${}",
    r"-\${}",
    "x={}",
    "x = {}",
    "K={}",
    "n ={}",
    "$x={}$",
    "2={}",
    "about {}",
    r"\text{{{}}}",
    "€{}",
]
AFTER = [
    "{}%", r"{}\%", "{} %", r"{} \%", r"${}\%$", "{} percent", r"{}^\circ", r"{}^{{\circ}}", r"{} ^\circ", r"${}^\circ$", "{}°",
    r"{}_8", r"{}_{{10}}", "{}x", r"{}\pi", r"{}i", "{}!", "{} or 2", "{} and 2", "{} apples", "{}e3", r"{}\text{{ cm}}^2",
    r"{}\text{{cm}}", r"{}\ \text{{degrees}}", r"{}\,\text{{cm}}", r"{}\mathrm{{cm}}", r"{}\mbox{{ inches}}^2", "{}\n", "{} , 5",
]  # fmt: skip
ELEMENTS = ["1", "2", "-1", "1/2", r"\frac{3}{2}", "0", "100", "1,234", "1000", "0.5", r"\infty", r"-\infty", "x"]
BRACKETS = [("(", ")"), ("[", "]"), ("(", "]"), ("[", ")"), (r"\{", r"\}"), (r"\left(", r"\right)"), ("", "")]
WORDS = [
    *(rf"\text{{{word}}}" for word in ["Evelyn", "east", "(A)", "A", "even", "odd", "yes", "No", "NO", "ellipse", "(E)", "cm", "red"]),
    *(rf"\text{{{word}}}" for word in ["men", "alpha", "sin", "yards", "none", "day", "Infinite", "th", "and", "inf", "pi", "Red"]),
    "A", "B", "C", "D", "E", "yes", "no", r"\text {west}", r"\text{two words}", r"\textbf{east}",
]  # fmt: skip
OTHERS = [
    r"\sqrt{2}",
    r"2\sqrt{2}",
    r"\pi",
    r"\frac{\pi}{2}",
    "x+1",
    "2x",
    "3+4i",
    "2^{10}",
    r"\emptyset",
    "}{",
    "",
    "?",
    "∞",
]


def numbers() -> list[str]:
    """Numbers in all their dress."""
    bare = [*INTEGERS, *DECIMALS, *FRACTIONS]
    units = [f"{{}} {unit}" for unit in UNITS.split("|")] + [rf"{{}}\text{{{{ {unit}}}}}" for unit in UNITS.split("|")]
    dress = [*AROUND, *BEFORE, *AFTER]
    return [
        *(form.format(number) for number in bare for form in dress),
        *(form.format(number) for number in ("5", "-5", "+5", "0.5", "1,234", r"\frac{1}{2}") for form in units),
    ]


def lists() -> list[str]:
    """Sets, tuples and intervals, of two elements and of three."""
    return [
        *(f"{left}{one}{comma}{two}{right}" for one, two in itertools.product(ELEMENTS, repeat=2)
          for (left, right), comma in itertools.product(BRACKETS, (",", ", "))),
        *(f"{left}{', '.join(three)}{right}" for three in itertools.product(["1", "2", "3", "-1", "1/2"], repeat=3)
          for left, right in BRACKETS),
        *(rf"\{{{one}\}}" for one in ELEMENTS),
    ]  # fmt: skip


@functools.cache
def tables() -> tuple[list[str], list[dict[str, list[str]]]]:
    """All texts; and those that the fast path reads, by the form that it gives them: numbers, lists, words."""
    kinds = [[*numbers(), *OTHERS], lists(), WORDS]
    readable: list[dict[str, list[str]]] = [{}, {}, {}]
    for texts, by_form in zip(kinds, readable, strict=True):
        for text in texts:
            if (plain := read(text)) is not None:
                by_form.setdefault(plain.form.rstrip("%"), []).append(text)
    return [text for texts in kinds for text in texts], readable


def generated(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """`count` pairs of two texts that are or look alike, near or far from each other; most can be decided."""
    rng = random.Random(seed)
    texts, readable = tables()

    def some() -> dict[str, list[str]]:
        return rng.choices(readable, weights=[7, 2, 1])[0]

    def pair() -> tuple[str, str]:
        kind = rng.random()
        if kind < 0.3:
            group = rng.choice(list(some().values()))
            return rng.choice(group), rng.choice(group)
        if kind < 0.5:
            return rng.choice(rng.choice(list(some().values()))), rng.choice(rng.choice(list(some().values())))
        if kind < 0.65:  # the same elements in another order, in other brackets
            elements = rng.sample(["1", "2", "-1", "1/2", r"\frac{5}{2}", "7"], rng.choice([2, 2, 3]))
            other = list(elements) if rng.random() < 0.5 else rng.sample(elements, len(elements))
            (left, right), (left_too, right_too) = rng.choice(BRACKETS), rng.choice(BRACKETS)
            return f"{left}{', '.join(elements)}{right}", f"{left_too}{', '.join(other)}{right_too}"
        if kind < 0.9:  # numbers near each other, where rounding decides
            places, value = rng.randint(1, 7), rng.randint(-3000, 3000)
            near = value / 10**places + rng.choice([0, 0, 1e-7, 4e-7, 1e-6, 1.5e-6, 2e-6, 1e-5, 1e-3, 1])
            one = f"{value / 10**places:.{places}f}"
            two = rng.choice([f"{value}/{10**places}", f"{near:.{rng.choice([5, 6, 7, 8])}f}", str(value), one + "0",
                              rf"\frac{{{value}}}{{{10**places}}}", f"{abs(value)}%", rf"{abs(value)}\%"])  # fmt: skip
            return (one, two) if rng.random() < 0.5 else (two, one)
        return rng.choice(texts), rng.choice(rng.choice(list(some().values())))

    seen: set[tuple[str, str]] = set()
    while len(seen) < count:
        found = pair()
        if found not in seen:
            seen.add(found)
            yield found


def data_folder() -> Path | None:
    """The folder of real data sets, where there is one."""
    folder = Path(os.environ.get("THOUGHTLINE_DATA", "") or "/nonexistent")
    return folder if folder.is_dir() else None


def real_answers(folder: Path) -> dict[str, list[str]]:
    """Set -> reference answers: MATH-500, MATH (train), GSM8K, AIME, AMC."""

    def lines(name: str) -> list[dict]:
        return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines() if line.strip()]

    def array(name: str) -> list[dict]:
        text = (folder / name).read_text(encoding="utf-8")
        return json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]

    found = {
        "math500": lines("math500/test.jsonl"),
        "math_train": array("math_rllm/train_math.json"),
        "gsm8k": lines("gsm8k/test.jsonl"),
        "aime": [row for name in ("aime24/aime24.json", "aime25/aime25.json") for row in array(name)],
        "amc": array("amc23/amc23.json"),
    }
    answers = {
        name: [str(row.get("answer", row.get("expected_answer"))).rpartition("####")[2].strip() for row in rows]
        for name, rows in found.items()
    }
    return {
        name: [text.removesuffix(".0") if name == "amc" else text for text in each] for name, each in answers.items()
    }


def perturbed(answer: str, rng: random.Random) -> str:
    """`answer` as a model might write it, or nearly it."""
    ways = [
        answer, answer.replace(r"\frac", r"\dfrac"), answer.replace(" ", ""), answer.replace(",", ", "), f"${answer}$",
        rf"\({answer}\)", answer + r"^\circ", answer + r"\%", answer + r"\text{ cm}", f"x = {answer}", answer + ".0",
        f"-{answer}", answer.replace("-", "", 1), answer + "1", answer.replace("1", "2", 1), answer.replace("3", "4", 1),
        answer.replace("(", r"\{").replace(")", r"\}"), answer.replace("(", "[").replace(")", "]"), answer.upper(),
    ]  # fmt: skip
    return rng.choice(ways)
