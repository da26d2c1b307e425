"""CPU time of the mathematics verifier against Math-Verify called row by row, on the same pairs in the same run.

    .venv/verify/bin/python bench/verify_math.py [--pairs 1500] [--json FILE]

Both judge the same pairs of reference and final answer, in blocks by turns. Math-Verify is called as its documentation
does: parse(reference), parse(answer), verify(...) in this process, on the same text that the verifier gives it. The
verifier does all of its work: extraction from a response, the fast path, the worker process; its CPU time is that of
this process and of the worker together. Neither side's start is counted, nothing is warmed up, and no pair occurs twice,
so that what is remembered is only what real runs repeat: references.

The mix is made from a seed: forms in the shares in which they occur among the 500 reference answers of MATH-500 (62 %
integers, 11 % fractions, 2 % decimals and separators, 25 % LaTeX: roots, angles, lists, polynomials, matrices, units), and as many
integers again for GSM8K and AIME; four answers a reference: two right (one written differently), two wrong. Where
THOUGHTLINE_DATA names the folder of real sets, the references of MATH-500, GSM8K and AIME are used as a second mix.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "verdicts"))

from math_pairs import data_folder, perturbed, real_answers
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.math import candidates
from thoughtline.verdicts.plain_math import decide
from thoughtline.verdicts.workers import cpu_seconds

BLOCK = 50
GOALS = {"cpu_ratio": 1.7, "median_ms": 0.1, "verdicts_changed": 0}
LATEX = [
    r"{a}\sqrt{{{b}}}", r"\frac{{\sqrt{{{b}}}}}{{{a}}}", r"\sqrt{{{b}}}", r"{a}\pi", r"\frac{{{a}\pi}}{{{b}}}", r"{a}^\circ",
    r"({a},{b})", r"\left( {a}, \frac{{{b}}}{{{c}}} \right)", r"({a},{b},{c})", r"[{a},{d})", r"(-\infty, {a}) \cup ({d}, \infty)",
    r"{a}x^2 + {b}x - {c}", r"x^3+{a}x-{b}", r"(x+{a})(x-{b})", r"{a}+{b}i", r"{a} - {b}\sqrt{{{c}}}", r"{a} \pm \sqrt{{{b}}}",
    r"{a}, {b}, {d}", r"x={a}", r"y = {a}x + {b}", r"\text{{{word}}}", r"\text{{({letter})}}", r"{a}_{{{base}}}", r"\${a}.{b}",
    r"{a}\text{{ cm}}^2", r"\begin{{pmatrix}} {a} \\ -{b} \\ {c} \end{{pmatrix}}", r"\frac{{{a}+{b}a}}{{{c}}}", r"{a}k+{b}",
]  # fmt: skip


def reference(rng: random.Random) -> str:
    """One reference answer of the generated mix."""
    kind = rng.random()
    if kind < 0.81:  # 62 % of one half, all of the other
        return str(rng.randint(-20, 400) if rng.random() < 0.7 else rng.randint(400, 200_000))
    if kind < 0.865:
        return rf"\frac{{{rng.randint(1, 60)}}}{{{rng.randint(2, 60)}}}"
    if kind < 0.875:
        return rng.choice([f"{rng.randint(0, 99)}.{rng.randint(1, 99)}", f"{rng.randint(1000, 99999):,}"])
    a, b, c = (rng.randint(2, 40) for _ in range(3))
    words = {
        "word": rng.choice(["even", "east", "Evelyn", "ellipse"]),
        "letter": rng.choice("ABCDE"),
        "base": rng.randint(5, 9),
    }
    return rng.choice(LATEX).format(a=a, b=b, c=c, d=a + b, **words)


def other_form(text: str) -> str:
    """`text` as a model might write it."""
    return (
        text.replace(r"\frac", r"\dfrac").replace(",", ", ").replace("+", " + ")
        if "\\" in text or "," in text
        else f"{text}.0"
    )


def wrong(text: str, rng: random.Random) -> str:
    """Another answer of the same form: one digit is changed, or a word."""
    digits = [place for place, character in enumerate(text) if character.isdigit()]
    if not digits:
        return text.replace("e", "o") + "s" if "\\" not in text else rf"\text{{{rng.choice(['odd', 'west', 'Navin'])}}}"
    place = rng.choice(digits)
    return text[:place] + str((int(text[place]) + rng.randint(1, 8)) % 9 + 1) + text[place + 1 :]


def pairs_of(references: list[str], count: int, rng: random.Random, real: bool) -> list[tuple[str, str]]:
    """`count` different pairs, four answers a reference, in an order as of a file of traces."""
    found: dict[tuple[str, str], None] = {}
    for text in references:
        answers = [text, perturbed(text, rng) if real else other_form(text), wrong(text, rng), wrong(text, rng)]
        found.update(dict.fromkeys((text, answer) for answer in answers))
    chosen = list(found)
    if len(chosen) < count:
        raise SystemExit(f"error: only {len(chosen)} different pairs can be made; give --pairs {len(chosen)} at most")
    return chosen[:count]


def row_by_row(pair: tuple[str, str]) -> str:
    """Math-Verify by its documentation, in this process."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    ways = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    sides = [next(filter(None, (parse(each, ways) for each in candidates(text))), []) for text in pair]
    return "correct" if verify(*sides) else "incorrect"


def measure(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """CPU milliseconds a pair of both, by turns; what the verifier decides without Math-Verify; changed verdicts."""
    row_by_row(("1", r"\frac{1}{2}"))
    ours, theirs, walls, changed = 0.0, 0.0, [], []
    settings = {"verifier": {"verifier": "math_verify", "seconds": 60}}
    with verifier_for(settings) as verifier:
        verifier.verify({"answer": "1"}, {"status": "finished", "response": r"\boxed{\frac{x}{2}}"})
        worker = verifier.verifier._worker.pid
        for start in range(0, len(pairs), BLOCK):
            block = pairs[start : start + BLOCK]
            before = time.process_time()
            expected = [row_by_row(pair) for pair in block]
            theirs += time.process_time() - before
            got = []
            before = time.process_time() + cpu_seconds(worker)
            for gold, answer in block:
                begun = time.perf_counter()
                trace = {"status": "finished", "response": f"So the answer is \\boxed{{{answer}}}."}
                got.append(verifier.verify({"answer": gold}, trace).status)
                walls.append(time.perf_counter() - begun)
            ours += time.process_time() + cpu_seconds(worker) - before
            changed += [(pair, one, two) for pair, one, two in zip(block, expected, got, strict=True) if one != two]
    walls.sort()
    return {
        "pairs": len(pairs),
        "math_verify_cpu_ms": 1e3 * theirs / len(pairs),
        "thoughtline_cpu_ms": 1e3 * ours / len(pairs),
        "cpu_ratio": theirs / ours,
        "median_ms": 1e3 * statistics.median(walls),
        "p99_ms": 1e3 * walls[int(0.99 * len(walls))],
        "decided_without_math_verify": sum(decide(*pair) is not None for pair in pairs) / len(pairs),
        "verdicts_changed": len(changed),
        "changed": changed[:20],
    }


def main() -> None:
    """Print the table; with --json also write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1500, metavar="N", help="pairs of each mix (default: 1500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rng = random.Random(42)
    mixes = {"generated": pairs_of([reference(rng) for _ in range(args.pairs)], args.pairs, rng, False)}
    if folder := data_folder():
        sets = real_answers(folder)
        real = [*sets["math500"], *rng.sample(sets["gsm8k"], 340), *sets["aime"]]
        rng.shuffle(real)
        mixes["MATH-500, GSM8K, AIME"] = pairs_of(real, args.pairs, rng, True)
    found = {name: measure(pairs) for name, pairs in mixes.items()}
    columns = ["pairs", "math_verify_cpu_ms", "thoughtline_cpu_ms", "cpu_ratio", "median_ms", "p99_ms",
               "decided_without_math_verify", "verdicts_changed"]  # fmt: skip
    print(f"{'':32}" + "".join(f"{name:>24}" for name in found))
    for column in columns:
        values = (figures[column] for figures in found.values())
        goal = f"   goal: {GOALS[column]}" if column in GOALS else ""
        print(
            f"{column:32}"
            + "".join(f"{value:24.3f}" if isinstance(value, float) else f"{value:24d}" for value in values)
            + goal
        )
    for figures in found.values():
        for pair, one, two in figures["changed"]:
            print(f"changed: {pair}: Math-Verify {one}, here {two}")
    if args.json:
        args.json.write_text(json.dumps({"cpus": os.cpu_count(), "mixes": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
