"""A benchmark on disk, from a list of outcomes."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings as hypothesis_settings
from thoughtline.common.canonical import canonical_json
from thoughtline.common.rows import QUESTIONS, TRACES, VERDICTS, question_id, trace_id, write_rows

# The same examples each time, and no verdict on how busy the machine is.
hypothesis_settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis_settings.load_profile("steady")

CODES = {
    "C": ("correct", ""),
    "W": ("incorrect", "wrong_answer"),
    "U": ("unparsed", "judge_unreadable"),
    "E": ("error", "crashed"),
}
CODES |= {"R": ("rated", ""), "T": ("incorrect", "truncated"), "N": ("unverified", "")}


def build(
    folder: Path,
    outcomes: list[str],
    model: str = "m",
    domain: str = "math",
    answers: list[list[str | None]] | None = None,
    measures: list[list[dict]] | None = None,
    verifier: str = "exact",
):
    """One question for each word of `outcomes`, one run for each letter of it (see CODES)."""
    questions, traces, verdicts = [], [], []
    for number, word in enumerate(outcomes):
        problem = f"What is {number} + 1?"
        question = question_id(domain, problem)
        questions.append(
            dict.fromkeys(QUESTIONS.names)
            | {
                "question_id": question,
                "domain": domain,
                "source": "sums",
                "problem": problem,
                "answer": str(number + 1),
                "metadata": "{}",
            }
        )
        for sample, letter in enumerate(word):
            trace = trace_id(question, [], model, {}, sample)
            status, reason = CODES[letter]
            traces.append(
                dict.fromkeys(TRACES.names)
                | {
                    "trace_id": trace,
                    "question_id": question,
                    "sample": sample,
                    "seed": 0,
                    "completion_tokens": 10 * (sample + 1),
                }
                | {"status": "truncated" if letter == "T" else "finished", "response": "text", "messages": "[]"}
            )
            default = {"C": str(number + 1), "W": "0"}.get(letter)
            verdicts.append(
                {
                    "trace_id": trace,
                    "question_id": question,
                    "sample": sample,
                    "status": status,
                    "reason": reason,
                    "evidence": "{}",
                    "measures": canonical_json(measures[number][sample]) if measures else "{}",
                }
                | {
                    "answer": answers[number][sample] if answers else default,
                    "verifier": verifier,
                    "fingerprint": "f00d",
                }
            )
    paths = SimpleNamespace(
        questions=folder / "questions/b/0000.parquet",
        traces=folder / f"traces/{model}/b/0000.parquet",
        verdicts=folder / f"verdicts/{model}/b/0000.parquet",
        out=folder / f"scores/{model}/b.json",
    )
    write_rows(paths.questions, questions, QUESTIONS, ["question_id"])
    write_rows(paths.traces, traces, TRACES, ["trace_id"])
    write_rows(paths.verdicts, verdicts, VERDICTS, ["trace_id"])
    settings = {
        "benchmark": "b",
        "samples": len(outcomes[0]),
        "sampling": {"temperature": 0.7},
        "prompt": "zero",
        "seed": 1,
    }
    paths.arguments = [
        *["score", "--settings", canonical_json(settings), "--model-name", model, "--questions", paths.questions],
        *["--traces", paths.traces, "--verdicts", paths.verdicts, "--out", paths.out],
    ]
    paths.read = lambda: json.loads(paths.out.read_text())
    return paths


@pytest.fixture
def benchmark_files():
    return build
