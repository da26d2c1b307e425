"""Small rows for the tests of this folder."""

import json

from thoughtline.common.rows import QUESTIONS, TRACES, question_id, write_rows


def question(problem, answer=None, choices=None, tests=None, domain="math"):
    return {
        **dict.fromkeys(QUESTIONS.names),
        "question_id": question_id(domain, problem, choices),
        "domain": domain,
        "source": "test",
        "problem": problem,
        "answer": answer,
        "choices": choices,
        "tests": json.dumps(tests) if tests is not None else None,
        "metadata": "{}",
    }


def trace(asked, response, sample=0, status="finished"):
    return {
        **dict.fromkeys(TRACES.names),
        "trace_id": f"{sample:02x}{asked['question_id'][2:]}",
        "question_id": asked["question_id"],
        "sample": sample,
        "seed": 1,
        "status": status,
        "response": response,
        "messages": "[]",
    }


def write(folder, questions, traces):
    """(path of the questions, path of the traces)."""
    write_rows(folder / "questions.parquet", questions, QUESTIONS, ["question_id"])
    write_rows(folder / "traces.parquet", traces, TRACES, ["question_id", "sample"])
    return folder / "questions.parquet", folder / "traces.parquet"
