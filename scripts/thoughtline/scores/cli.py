"""`thoughtline scores score | compare | show`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.command import add_common, add_files, recorded, settings_of, work_of
from ..common.errors import UserError
from ..common.files import write_json
from ..common.lease import Lease
from ..common.rows import write_rows
from .differences import difference
from .files import generation, questions_path, read_score, read_shares
from .score import QUESTION_SCORES, question_rows, read, summarise
from .table import difference_text, score_table


def register(subparsers: argparse._SubParsersAction) -> None:
    """Add the verbs of `scores`."""
    score = subparsers.add_parser(
        "score", help="sum up a model's verdicts on a benchmark",
        description="Sum up a model's verdicts on a benchmark: mean accuracy over k runs a question, standard error and 95 % "
        "interval with questions as the sampling unit, pass@k, majority vote. Writes B.json and, beside it, B.questions.parquet.",
    )  # fmt: skip
    add_common(score)
    score.add_argument("--model-name", required=True, help="the model's name in the recipe")
    add_files(score, "--questions", "B", "the benchmark's question files")
    add_files(score, "--traces", "T", "the model's trace files")
    add_files(score, "--verdicts", "V", "verdict files, one for each of --traces, same order")
    score.add_argument("--out", type=Path, required=True, metavar="B.json", help="the score file to write")
    score.set_defaults(run=run_score)

    compare = subparsers.add_parser(
        "compare", help="the difference between two models on the same questions",
        description="Print the difference B - A between two models on one benchmark, paired by question, with its 95 % interval.",
    )  # fmt: skip
    compare.add_argument("a", type=Path, metavar="A.json", help="a score file")
    compare.add_argument("b", type=Path, metavar="B.json", help="a score file of the same benchmark")
    add_files(compare, "--more-a", "A", "score files of further seeds of A", needed=False)
    add_files(compare, "--more-b", "B", "score files of further seeds of B", needed=False)
    compare.set_defaults(run=run_compare)

    show = subparsers.add_parser(
        "show",
        help="print a table of scores",
        description="Print a table of scores, models down and benchmarks across.",
    )
    show.add_argument("files", nargs="+", type=Path, metavar="SCORE.json", help="score files, in the order to show")
    show.set_defaults(run=run_show)


def run_score(args: argparse.Namespace) -> None:
    """Write B.json and B.questions.parquet, then their sidecars."""
    settings = settings_of(args)
    outputs = [args.out, questions_path(args.out)]
    with (
        Lease(work_of(args)),
        recorded(outputs, [*args.questions, *args.traces, *args.verdicts], settings) as record,
    ):
        asked = read(args.questions, args.traces, args.verdicts, settings["samples"])
        summary = summarise(asked, args.model_name, settings) | {"generation": generation(args.traces)}
        write_rows(outputs[1], question_rows(asked), QUESTION_SCORES, ["question_id"])
        write_json(args.out, summary)
        errors, traces = summary["counts"]["error"], summary["counts"]["traces"]
        record.counts = {
            "in": traces,
            "out": traces - errors,
            "dropped": {"verifier_error": errors} if errors else {},
            "questions": summary["questions"],
        }
        record.details = {"model": args.model_name, "accuracy": summary["accuracy"], "flags": summary["flags"]}
    print(score_table([summary]))


def run_compare(args: argparse.Namespace) -> None:
    """Print the paired difference B - A."""
    sides = [[args.a, *args.more_a], [args.b, *args.more_b]]
    scores = [[read_score(path) for path in side] for side in sides]
    benchmarks = sorted({score["benchmark"] for side in scores for score in side})
    if len(benchmarks) > 1:
        raise UserError(
            "compare", f"the files are of the benchmarks {', '.join(benchmarks)}", "give files of one benchmark"
        )
    names = [", ".join(dict.fromkeys(score["model"] for score in side)) for side in scores]
    found = difference(*([read_shares(path) for path in side] for side in sides))
    print(difference_text(f"{benchmarks[0]}, {names[1]} - {names[0]}", found))
    for side, name in zip("ab", names, strict=True):
        if found[side]["standard_deviation"] is not None:
            means = ", ".join(f"{100 * each:.1f}" for each in found[side]["means"])
            print(f"seeds of {name}: {means} (standard deviation {100 * found[side]['standard_deviation']:.1f} points)")


def run_show(args: argparse.Namespace) -> None:
    """Print the table."""
    # A glob finds the sidecars too.
    print(score_table([read_score(path) for path in args.files if not path.name.endswith(".prov.json")]))
