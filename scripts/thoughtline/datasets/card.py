"""README.md of a dataset: what a person, and datasets.load_dataset, must know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from ..common.canonical import digest
from .candidates import Candidate
from .decontaminate import TEMPLATE_ITEMS
from .selection import Selection

REASONS = {
    "failed": "the request failed",
    "truncated": "cut off at the token limit",
    "refused": "the model, or its service, refused",
    "no_response": "no text beside the thinking",
    "not_in_other": "the other arm of the comparison does not have the question",
    "contaminated": "shares text with a benchmark item",
    "incorrect": "judged incorrect",
    "rated": "rated by a judge, which is neither right nor wrong",
    "unparsed": "the judge's reply could not be read",
    "unverified": "nothing to judge by",
    "verifier_error": "the verifier itself failed",
    "mixed_language": "too many letters of other scripts than the problem's",
    "long_paragraph": "a paragraph longer than the limit",
    "code_block": "a code block in the thinking",
    "too_short": "fewer tokens than the limit",
    "too_long": "more tokens than the limit",
    "near_duplicate": "the question nearly equals another one",
    "duplicate": "the training text equals another row's",
    "not_first": "an earlier trace of the question was taken",
    "not_chosen": "other traces of the question were taken",
    "mixture": "its domain or source had enough rows",
}
"""Every reason for which a trace is not in a dataset, in the order of the steps."""

KEEP = {
    "all": "every trace",
    "first": "the first trace of a question",
    "random": "one random trace of a question",
    "shortest": "the shortest trace of a question",
    "correct": "every correct trace",
    "first_correct": "the first correct trace of a question",
    "random_correct": "one random correct trace of a question",
    "shortest_correct": "the shortest correct trace of a question",
}
HUB_LICENCES = frozenset(
    {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-3.0"}
    | {"cc-by-sa-3.0", "odc-by", "bsd-3-clause", "gpl-3.0", "llama3.1", "llama3.3", "unknown"}
)
"""Licence names that a card's header may have; others become `other`, and stand in words in the text."""


def header(settings: Mapping[str, Any], rows: int) -> str:
    """The YAML header: licences, and the two configs that make `load_dataset` work on the folder."""
    licences = {source["licence"].lower() for source in settings["sources"].values()}
    sizes = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    content = {
        "pretty_name": f"{settings['recipe']} {settings['dataset']}",
        "license": sorted({licence if licence in HUB_LICENCES else "other" for licence in licences}),
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "synthetic"],
        "size_categories": [next((name for limit, name in sizes if rows < limit), "n>1M")],
        "configs": [
            {"config_name": name, "data_files": [{"split": "train", "path": f"{name}/train.parquet"}]}
            for name in ("default", "metadata")
        ],
    }
    return "---\n" + yaml.safe_dump(content, sort_keys=False, allow_unicode=True) + "---\n"


def _table(heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    def row(cells: Sequence[Any]) -> str:
        texts = (" ".join(str("-" if cell is None else cell).split()).replace("|", r"\|") for cell in cells)
        return "| " + " | ".join(texts) + " |"

    return "\n".join([row(heads), row(["---"] * len(heads)), *map(row, lines)])


def _yields(
    questions: Mapping[str, Mapping[str, Any]], candidates: Sequence[Candidate], kept: Sequence[Candidate]
) -> str:
    groups = sorted({(row["domain"], row["source"]) for row in questions.values()})
    asked = Counter((row["domain"], row["source"]) for row in questions.values())
    traces, finished, correct, rows = (
        Counter((each.domain, each.source) for each in chosen)
        for chosen in (
            candidates,
            [each for each in candidates if each.status == "finished"],
            [each for each in candidates if each.verdict == "correct"],
            kept,
        )
    )
    lines: list[Sequence[Any]] = [
        [*group, asked[group], traces[group], finished[group], correct[group], rows[group]] for group in groups
    ]
    lines.append(["all", "", *(sum(each.values()) for each in (asked, traces, finished, correct, rows))])
    return _table(["domain", "source", "questions", "traces", "finished", "correct", "rows"], lines)


def _rules(settings: Mapping[str, Any]) -> list[str]:
    rules = [
        f"Kept: {KEEP[settings['keep']]} (`{settings['keep']}`), from the trace runs {', '.join(settings['traces'])}."
    ]
    if settings.get("per_question"):
        rules.append(f"Up to {settings['per_question']} of them, in that order, of each question.")
    if "correct" in settings["keep"] and settings["keep_unverified"]:
        rules.append("Domains without a verifier are kept unverified.")
    if settings["same_questions_as"]:
        rules.append(f"Only the questions of the dataset `{settings['same_questions_as']}`, as many rows of each.")
    if rule := settings["decontaminate"]:
        rules.append(
            f"Decontaminated against {', '.join(settings['decontaminate_against'])}: a question is dropped "
            + f"at a ratio of {rule['similarity']:g} %."
            if rule["ngram"] is None
            else f"Decontaminated against {', '.join(settings['decontaminate_against'])}: a question is dropped when it holds "
            f"{100 * rule['containment']:g} % of a benchmark item's {rule['ngram']}-word n-grams (shorter items: all words "
            f"in a row; an n-gram of {TEMPLATE_ITEMS} or more items of one benchmark is its template and does not count)"
            + (f", or at a ratio of {rule['similarity']:g} %." if rule["similarity"] is not None else ".")
        )
    else:
        rules.append("Not decontaminated.")
    if rule := settings["near_duplicates"]:
        rules.append(f"Near-duplicate questions are dropped from a ratio of {rule['similarity']:g} % on.")
    if readable := settings.get("readable"):
        limits = [
            f"more than {100 * readable['other_scripts']:g} % letters of other scripts than the problem's"
            if readable["other_scripts"] is not None
            else "",
            f"a paragraph of more than {readable['paragraph']} characters" if readable["paragraph"] else "",
            "" if readable["code_blocks"] else "a code block",
        ]
        rules.append(f"Dropped where the thinking has {', or '.join(filter(None, limits))}.")
    if settings.get("min_tokens"):
        rules.append(f"At least {settings['min_tokens']} tokens a row, by the tokenizer of `{settings['tokenizer']}`.")
    if settings["max_tokens"] is not None:
        rules.append(
            f"At most {settings['max_tokens']} tokens a row, counted with the tokenizer of `{settings['tokenizer']}`."
        )
    if rule := settings["mixture"]:
        shares = rule["counts"] or rule.get("sources") or rule["weights"]
        text = ", ".join(f"{domain} {value:g}" for domain, value in sorted(shares.items()))
        rules.append(
            f"Mixture: at most {text} rows." if not rule["weights"] else f"Mixture: {text} of {rule['total']} rows."
        )
    rules.append(f"Training text: format `{settings['format']}`; random choices with the seed {settings['seed']}.")
    return rules


def card(
    settings: Mapping[str, Any],
    questions: Mapping[str, Mapping[str, Any]],
    candidates: Sequence[Candidate],
    selection: Selection,
    counts: Mapping[str, Any],
    files: Mapping[str, str],
) -> str:
    """The whole README.md.

    Args:
        settings: recipe.settings.datasets().
        questions: rows of QUESTIONS by id.
        candidates: all traces.
        selection: rows and dropped traces.
        counts: selection.counts_of(), with `shortfall` where there is another arm.
        files: name -> sha256 of the other files of the folder.
    """
    name, kept = settings["dataset"], selection.kept
    by_source = Counter((each.domain, each.source) for each in kept)
    domains = sorted({domain for domain, _ in by_source})
    drops = [
        [
            reason,
            REASONS[reason],
            counts["dropped"][reason],
            *(counts["by_domain"][each]["dropped"].get(reason, 0) for each in counts["by_domain"]),
        ]
        for reason in REASONS
        if reason in counts["dropped"]
    ]
    parts = [
        f"# {settings['recipe']}: {name}",
        f"{counts['out']} rows for supervised fine-tuning: questions with a teacher's reasoning and answer.",
        "## Load\n\n```python\nfrom datasets import load_dataset\n\n"
        f'path = "results/{settings["recipe"]}/datasets/{name}"\n'
        'rows = load_dataset(path, split="train")  # system, conversations\n'
        'metadata = load_dataset(path, "metadata", split="train")  # the same rows in the same order\n```',
        "## Rows\n\n"
        + _table(
            ["domain", *domains, "all"],
            [["rows", *(counts["by_domain"][each]["out"] for each in domains), counts["out"]]],
        ),
        "## Yield\n\n" + _yields(questions, candidates, kept),
        f"## Left out\n\n{counts['in']} traces = {counts['out']} rows + {sum(counts['dropped'].values())} left out, each for the first "
        "reason that applies (`dropped.parquet` lists them).\n\n"
        + _table(["reason", "meaning", "traces", *counts["by_domain"]], drops),
    ]
    if "shortfall" in counts:
        missing = counts["shortfall"]
        parts.append(
            f"Against `{settings['same_questions_as']}`, {missing['rows']} rows of {missing['questions']} questions are missing "
            "for want of a usable trace: the arms are not equal."
            if missing["rows"]
            else f"The rows of `{settings['same_questions_as']}`, question by question: the arms are equal."
        )
    sources = [
        [source, by["licence"], by["credit"], sum(count for (_, each), count in by_source.items() if each == source)]
        for source, by in sorted(settings["sources"].items())
    ]
    teachers = [[teacher, by["licence"], by["credit"]] for teacher, by in sorted(settings["teachers"].items())]
    parts += [
        "## Sources and licences\n\nEach row keeps the licence of its source (`source` in the config `metadata`).\n\n"
        + _table(["source", "licence", "credit", "rows"], sources),
        "Reasoning and answers were written by:\n\n" + _table(["teacher", "licence", "credit"], teachers),
        "## How it was made\n\n" + "\n".join(f"- {rule}" for rule in _rules(settings)),
        f"Settings digest `{digest(settings, 16)}`, code `{settings['code']}`; all settings, inputs and versions stand in "
        "`README.md.prov.json`. `rows.parquet` leads from each row to its question and trace.",
        "## Files\n\n"
        + _table(["file", "sha256"], [[f"`{file}`", f"`{value}`"] for file, value in sorted(files.items())]),
    ]
    return header(settings, counts["out"]) + "\n" + "\n\n".join(parts) + "\n"
