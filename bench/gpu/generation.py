"""Our client and server against vLLM alone: tokens a second on the same requests, the same engine settings and the same GPU.

`python -m bench.gpu.generation MODEL.json --requests 1024 --tokens 512 --out OUT.json [--ignore-eos] [--argument load_format=dummy]`
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from thoughtline.common.environments import python_of
from thoughtline.common.files import read_json, write_json
from thoughtline.common.rows import QUESTIONS, TRACES, question_id, read_rows, write_rows
from thoughtline.provenance.sidecar import sidecar_path


def questions(count: int, words: int) -> list[dict[str, Any]]:
    """So many different questions, each of about `words` words beside the task (text that no other shares)."""
    chance = random.Random(0)
    found = []
    for number in range(count):
        noise = " ".join(str(chance.randrange(1000)) for _ in range(words))
        problem = f"Task {number}. Here are some numbers: {noise}. Think aloud about which of them are prime, one after the other."
        row: dict[str, Any] = dict.fromkeys(QUESTIONS.names)
        row |= {"question_id": question_id("math", problem), "domain": "math", "source": "bench", "problem": problem}
        found.append(row | {"answer": "0", "metadata": "{}"})
    return found


def value_of(text: str) -> Any:
    """A value as JSON where it is JSON, else as text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def settings_of(model: str, args: argparse.Namespace) -> dict[str, Any]:
    """Settings of `thoughtline traces generate`."""
    more = {"ignore_eos": True} if args.ignore_eos else {}
    arguments = {name: value_of(value) for name, _, value in (each.partition("=") for each in args.argument)}
    engine = {"dtype": "bfloat16", "max_model_len": args.context, "arguments": arguments}
    return {
        "model": model,
        "engine": engine,
        "endpoint": None,
        "samples": 1,
        "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": args.tokens, **more},
        "prompt": {"system": None, "template": "{{ problem }}", "examples": []},
        "seed": 42,
        "code": "bench",
        "environment": {},
    }


def ours(settings: Path, model: Path, asked: Path, work: Path, concurrency: int) -> dict[str, Any]:
    """What the sidecar of `thoughtline traces generate` says, and the texts by trace id."""
    out = work / "traces" / "0000.parquet"
    words = ["traces", "generate", "--settings", f"@{settings}", "--model", model, "--questions", asked, "--out", out]
    words += ["--concurrency", concurrency]
    subprocess.run([python_of("generate"), "-m", "thoughtline", *map(str, words)], check=True, stdin=subprocess.DEVNULL)
    details = read_json(sidecar_path(out))["details"]
    return details | {"texts": {row["trace_id"]: row["response"] for row in read_rows(out, TRACES)}}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--ignore-eos", action="store_true")
    parser.add_argument("--argument", action="append", default=[], metavar="NAME=VALUE", help="of vLLM, for both")
    args = parser.parse_args()
    args.argument.append(f"max_num_seqs={args.concurrency}")
    model = args.model.resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        settings, asked = work / "settings.json", work / "questions.parquet"
        write_json(settings, settings_of(read_json(model)["name"], args))
        write_rows(asked, questions(args.requests, args.words), QUESTIONS, ["question_id"])
        by_us = ours(settings, model, asked, work, args.concurrency)
        subprocess.run(
            [python_of("generate"), "-m", "bench.gpu.alone", settings, model, asked, work / "alone.json"], check=True
        )
        alone = read_json(work / "alone.json")
    theirs, own = alone.pop("texts"), by_us.pop("texts")
    same = sum(own[key] == text for key, text in theirs.items()) / len(theirs)
    rate = by_us["tokens_per_second"]
    found = {
        "model": read_json(model)["name"],
        **{name: getattr(args, name) for name in ("requests", "tokens", "words", "concurrency")},
        "ours": by_us,
        "alone": alone,
        "ours_over_alone": {name: rate / each["tokens_per_second"] for name, each in alone["passes"].items()},
        "same_texts": same,
    }
    write_json(args.out, found)
    print(json.dumps(found, indent=1), file=sys.stderr)
    for name, each in alone["passes"].items():
        print(
            f"vLLM alone, {name}: {each['tokens_per_second']:,.0f} tokens/s; ours {rate:,.0f}, {rate / each['tokens_per_second']:.2f} of it"
        )


if __name__ == "__main__":
    main()
