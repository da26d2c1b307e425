"""A small run on disk, written with the pipeline's own writers: what the report is tested on."""

import json
import random
from pathlib import Path
from typing import Any

from thoughtline.common.canonical import canonical_json
from thoughtline.common.files import write_json, write_text
from thoughtline.common.rows import QUESTIONS, TRACES, VERDICTS, question_id, shard_name, shard_of, trace_id, write_rows
from thoughtline.datasets.tables import DROPPED, ROWS
from thoughtline.provenance.sidecar import write_sidecars
from thoughtline.scores.score import QUESTION_SCORES, question_rows, read, summarise

INJECTION = "</pre><script>alert('x')</script><img src=https://example.org/x.png onerror=alert(1)>\x07"
STARTED = "2025-02-03T04:05:06+00:00"
SOON = "2025-02-03T04:05:08+00:00"
SETTINGS = {"code": "c0de", "environment": {"lock": "10c4"}}

SAMPLING = {"temperature": 0.7, "max_tokens": 128}
SOURCE = {
    "reasoning_gym": {"task": "chain_sum", "size": 40, "seed": 1},
    "licence": "Apache-2.0",
    "credit": "reasoning-gym (https://github.com/open-thought/reasoning-gym)",
}
STAGE = {"epochs": 2.0, "learning_rate": 1e-4, "global_batch": 8, "micro_batch": 8, "max_length": 512}
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "title": "Verified against unverified traces, in small",
    "description": "The OpenThinker experiment on a few questions.",
    "prompts": {"ask": {domain: {"template": "{{ problem }}\nAnswer."} for domain in ("math", "science")}},
    "models": {
        "base": {"local": {"path": "weights"}, "licence": "Apache-2.0", "credit": "Somebody", "context_length": 2048},
        "verified": {"base": "base", "seeds": [1, 2], "stages": [{**STAGE, "dataset": "kept"}]},
        "unverified": {"base": "base", "seeds": [1, 2], "stages": [{**STAGE, "dataset": "raw"}]},
    },
    "questions": {
        "sums": {"domain": "math", "shards": 2, "sources": {"gym": SOURCE}},
        "school": {"domain": "science", "sources": {"lessons": SOURCE}},
    },
    "benchmarks": {
        "sums-heldout": {"domain": "math", "sources": {"gym": SOURCE}},
        "school-heldout": {"domain": "science", "sources": {"lessons": SOURCE}},
    },
    "traces": {
        "teacher": {
            "model": "base",
            "questions": ["sums", "school"],
            "samples": 3,
            "sampling": SAMPLING,
            "prompt": "ask",
        }
    },
    "verdicts": {"math": {"verifier": "math_verify"}, "science": {"verifier": "choice"}},
    "datasets": {
        "kept": {"traces": ["teacher"], "keep": "first_correct", "prompt": "ask"},
        "raw": {"traces": ["teacher"], "keep": "random", "prompt": "ask", "same_questions_as": "kept"},
    },
    "evaluation": {"samples": 2, "sampling": SAMPLING, "prompt": "ask"},
    "targets": {
        "evaluate": ["base", "verified", "unverified"],
        "compare": [
            {"title": "What training on verified traces adds", "a": "base", "b": "verified"},
            {"title": "What verification adds", "a": "unverified", "b": "verified"},
        ],
    },
}


class Tree:
    """Writes a run of RECIPE stage by stage under `root`; `random` decides every outcome, from a fixed seed."""

    def __init__(self, root: Path, questions: int = 10, text: str = "2 and 2 make 4.") -> None:
        self.root, self.count, self.text = root, questions, text
        self.random = random.Random(7)
        self.rows: dict[str, int] = {}  # rows of each dataset
        self.questions: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}

    def sidecar(self, path: Path, counts: dict[str, Any], finished: str = SOON, job: str = "") -> None:
        write_sidecars([str(path)], [], SETTINGS, counts, STARTED, command=["thoughtline", job or str(path)])
        facts = json.loads(Path(f"{path}.prov.json").read_text())
        write_json(f"{path}.prov.json", {**facts, "finished": finished})

    def set_of(self, name: str) -> dict[str, Any]:
        return RECIPE["questions"].get(name) or RECIPE["benchmarks"][name]

    def curate(self, name: str) -> None:
        domain, shards = self.set_of(name)["domain"], self.set_of(name).get("shards", 1)
        rows = []
        for number in range(self.count):
            problem = f"{name}: what is {number} + {number}?"
            rows.append(
                dict.fromkeys(QUESTIONS.names)
                | {"question_id": question_id(domain, problem), "domain": domain, "source": "gym", "problem": problem}
                | {"answer": str(2 * number), "metadata": "{}"}
                | {"choices": ["0", str(2 * number), "1000"] if domain == "science" else None}
            )
        self.questions[name] = rows
        for number in range(shards):
            path = self.root / "questions" / name / f"{shard_name(number)}.parquet"
            write_rows(
                path,
                [row for row in rows if shard_of(row["question_id"], shards) == number],
                QUESTIONS,
                ["question_id"],
            )
            counts = {"in": self.count + 7, "out": self.count, "dropped": {"has_answer": 4, "duplicate": 3}}
            self.sidecar(path, counts)

    def _trace(
        self, answerer: str, question: dict[str, Any], sample: int, skill: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        identity = trace_id(question["question_id"], [], answerer, SAMPLING, sample)
        luck = self.random.random()
        truncated = luck > 0.93
        right = luck < skill
        trace = dict.fromkeys(TRACES.names) | {
            "trace_id": identity,
            "question_id": question["question_id"],
            "sample": sample,
            "seed": 0,
            "status": "truncated" if truncated else "finished",
            "finish_reason": "length" if truncated else "stop",
            "reasoning": "Let me think.\n" + self.text,
            "response": f"The answer is {question['answer'] if right else '17'}.",
            "prompt_tokens": 40,
            "completion_tokens": 128 if truncated else int(self.random.gammavariate(4, 12 if right else 15)) + 5,
            "messages": "[]",
        }
        verdict = {
            "trace_id": identity,
            "question_id": question["question_id"],
            "sample": sample,
            "status": "correct" if right else "incorrect",
            "reason": "" if right else "truncated" if truncated else "wrong_answer",
            "answer": None if truncated else question["answer"] if right else "17",
            "verifier": "math_verify",
            "fingerprint": "f1",
            "evidence": canonical_json({"parsed": self.text}),
            "measures": canonical_json({"steps_right": [2 + right, 3 + sample]}),
        }
        return trace, verdict

    def answer(self, answerer: str, name: str, samples: int, skill: float) -> None:
        shards = self.set_of(name).get("shards", 1)
        pairs = [
            self._trace(answerer, question, sample, skill)
            for question in self.questions[name]
            for sample in range(samples)
        ]
        self.answers[answerer, name] = pairs
        for number in range(shards):
            shard = f"{shard_name(number)}.parquet"
            here = [pair for pair in pairs if shard_of(pair[0]["question_id"], shards) == number]
            traces, verdicts = (self.root / noun / answerer / name / shard for noun in ("traces", "verdicts"))
            write_rows(traces, [trace for trace, _ in here], TRACES, ["trace_id"])
            write_rows(verdicts, [verdict for _, verdict in here], VERDICTS, ["trace_id"])
            for path, finished in ((traces, "2025-02-03T04:09:30+00:00"), (verdicts, "2025-02-03T04:05:31+00:00")):
                self.sidecar(path, {"in": len(here), "out": len(here), "dropped": {}}, finished)

    def assemble(self, dataset: str, first_correct: bool) -> None:
        kept, dropped, seen = [], [], set()
        for name in RECIPE["questions"]:
            for trace, verdict in self.answers["teacher", name]:
                question = trace["question_id"]
                ids = {"question_id": question, "trace_id": trace["trace_id"]}
                if first_correct and verdict["status"] != "correct":
                    dropped.append({**ids, "set": name, "reason": "not_correct", "detail": None})
                elif question in seen:
                    dropped.append({**ids, "set": name, "reason": "not_first", "detail": None})
                else:
                    seen.add(question)
                    place = {"row": len(kept), "run": "teacher", "set": name, "domain": self.set_of(name)["domain"]}
                    kept.append({**ids, **place, "source": "gym", "tokens": None, "verdict": verdict["status"]})
        self.rows[dataset] = len(kept)
        folder = self.root / "datasets" / dataset
        write_rows(folder / "rows.parquet", kept, ROWS, ["row"])
        write_rows(folder / "dropped.parquet", dropped, DROPPED, ["trace_id"])
        write_text(folder / "README.md", "# A dataset\n")
        reasons = {reason: sum(row["reason"] == reason for row in dropped) for reason in ("not_correct", "not_first")}
        self.sidecar(folder / "README.md", {"in": len(kept) + len(dropped), "out": len(kept), "dropped": reasons})

    def model(self, name: str, base: str | None = None, rows: int = 0) -> None:
        folder = self.root / "models" / name
        if base:
            lines = []
            for step in range(1, 15):
                loss = 1.1 + 1.6 * 0.8**step + self.random.uniform(-0.06, 0.06)
                lines.append(
                    {
                        "step": step,
                        "epoch": step / 7,
                        "loss": loss,
                        "learning_rate": 1e-4,
                        "grad_norm": 1.0,
                        "tokens": 640 * step,
                    }
                )
            write_text(folder / "training.jsonl", "".join(canonical_json(line) + "\n" for line in lines))
            facts = {
                "rows": rows,
                "dropped": 0,
                "cut": 2,
                "ranks": 1,
                "device": "cpu",
                "threads": 2,
                "interruptions": 0,
            }
            times = {"train_seconds": 151.5, "load_seconds": 3.0, "save_seconds": 1.5, "tokens_per_second": 59.1}
            write_json(folder / "training.json", {**facts, **times})
        facts = {
            "name": name,
            "revision": "sha256:" + "ab" * 32,
            "kind": "trained" if base else "published",
            "base": base,
        }
        write_json(folder / "model.json", {**facts, "licence": "Apache-2.0", "credit": "Somebody", "files": {}})
        for file in ("model.json", "training.jsonl", "training.json") if base else ("model.json",):
            self.sidecar(folder / file, {"in": rows, "out": rows, "dropped": {}}, "2025-02-03T04:08:01+00:00", name)

    def score(self, model: str, benchmark: str, samples: int = 2) -> dict[str, Any]:
        shards = [f"{benchmark}/0000.parquet"]
        paths = [
            [self.root / folder / shard for shard in shards]
            for folder in ("questions", f"traces/{model}", f"verdicts/{model}")
        ]
        asked = read(*paths, samples=samples)
        out = self.root / "scores" / model / f"{benchmark}.json"
        score = summarise(asked, model, {"benchmark": benchmark, "samples": samples})
        write_rows(out.with_suffix(".questions.parquet"), question_rows(asked), QUESTION_SCORES, ["question_id"])
        write_json(out, score)
        self.sidecar(out, {"in": samples * len(asked), "out": samples * len(asked), "dropped": {}})
        return score

    def benchmarks(self) -> None:
        """Snakemake's benchmark files, two jobs."""
        head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
        for job, line in (
            ("traces/teacher/sums/0000", "264.5\t0:04:24\t2150.5\t-\t-\t-\t0\t0\t180\t470.1\n"),
            ("questions/sums", "0.4\t0:00:00\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA\n"),
        ):
            write_text(self.root / "benchmarks" / f"{job}.tsv", head + line)

    def everything(self) -> "Tree":
        for name in [*RECIPE["questions"], *RECIPE["benchmarks"]]:
            self.curate(name)
        self.model("base")
        for name in RECIPE["questions"]:
            self.answer("teacher", name, 3, 0.55)
        self.assemble("kept", True)
        self.assemble("raw", False)
        students = [f"{name}-seed{seed}" for name in ("verified", "unverified") for seed in (1, 2)]
        for name in students:
            self.model(name, "base", self.rows["raw" if name.startswith("un") else "kept"])
        for name, skill in {
            "base": 0.2,
            **dict.fromkeys(students[:2], 0.42),
            **dict.fromkeys(students[2:], 0.36),
        }.items():
            for benchmark in RECIPE["benchmarks"]:
                self.answer(name, benchmark, 2, skill)
                self.score(name, benchmark)
        self.benchmarks()
        return self
