"""Eight real Slurm jobs answer eight shards, alone and helping each other: when is each done?

In the test cluster (root; docs/slurm.md), or on any machine with Slurm whose nodes reach this one:

    tests/cluster/with-cluster .venv/generate/bin/python -m bench.sharing_slurm --account iscrc_test

Jobs, claims, journals and merging are the pipeline's own. The model is a service that takes as long for a trace as the
published distribution of lengths says, scaled down, and answers any number at once: engines differ by the shards they have and by nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from thoughtline.common.canonical import canonical_json
from thoughtline.common.rows import QUESTIONS, TRACES, question_id, shard_of, write_rows

from .decoding import LONGEST, lengths

ROOT = Path(__file__).parents[1]
SHARDS = 8


class Service(ThreadingHTTPServer):
    """Takes `seconds[prompt]` for a reply, and notes when each job's last one ended."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, seconds: dict[str, float]) -> None:
        super().__init__(("0.0.0.0", 0), Handler)
        self.seconds = seconds
        self.lock = threading.Lock()
        self.forget()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def forget(self) -> None:
        """Another run begins."""
        self.begun: float | None = None
        self.ends: dict[str, float] = {}
        self.count: dict[str, int] = defaultdict(int)


class Handler(BaseHTTPRequestHandler):
    """Chat completions."""

    protocol_version = "HTTP/1.1"
    server: Service

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_POST(self) -> None:
        """Think, then answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        job = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        prompt, server = body["messages"][-1]["content"], self.server
        with server.lock:
            server.begun = server.begun or time.monotonic()
            server.count[prompt] += 1
        time.sleep(server.seconds[prompt])
        with server.lock:
            server.ends[job] = time.monotonic()
        text = json.dumps(
            {
                "choices": [{"message": {"role": "assistant", "content": prompt}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": max(1, round(1000 * server.seconds[prompt]))},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def questions_of(count: int) -> list[dict]:
    """Rows of QUESTIONS."""
    empty = dict.fromkeys(QUESTIONS.names)
    texts = [f"Question {number}" for number in range(count)]
    return [
        {**empty, "question_id": question_id("math", text), "domain": "math", "source": "bench", "problem": text, "metadata": "{}"}
        for text in texts
    ]  # fmt: skip


def run(
    folder: Path,
    rows: list[dict],
    known: dict[str, float],
    service: Service,
    sharing: bool,
    concurrency: int,
    account: str,
) -> dict:
    """One evaluation by eight Slurm jobs; returns figures and the shards' bytes.

    Args:
        known: tokens of each question's trace by another model, which the jobs find beside their own.
    """
    service.forget()
    url = f"http://{socket.gethostbyname(socket.gethostname())}:{service.server_address[1]}/v1"
    settings = {
        "model": "m", "engine": {}, "samples": 1, "seed": 1, "code": "bench", "environment": {"lock": "bench"},
        "endpoint": {"url": url, "model": "m", "revision": "1", "key_variable": "BENCH_JOB"},
        "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": None, "max_tokens": 16, "stop": []},
        "prompt": {"system": None, "template": "{{ problem }}", "examples": []},
    }  # fmt: skip
    places = []
    for shard in range(SHARDS):
        place = {
            "set": "set",
            "questions": str(folder / "questions" / f"{shard:04d}.parquet"),
            "out": str(folder / "traces" / "m" / "set" / f"{shard:04d}.parquet"),
            "work": str(folder / "work" / f"{shard:04d}"),
        }
        Path(place["questions"]).parent.mkdir(parents=True, exist_ok=True)
        Path(place["out"]).parent.mkdir(parents=True, exist_ok=True)
        write_rows(
            place["questions"],
            [each for each in rows if shard_of(each["question_id"], SHARDS) == shard],
            QUESTIONS,
            ["question_id"],
        )
        other = Path(place["out"]).parents[2] / "other" / "set" / Path(place["out"]).name
        other.parent.mkdir(parents=True, exist_ok=True)
        here = [each["question_id"] for each in rows if shard_of(each["question_id"], SHARDS) == shard]
        blank = {**dict.fromkeys(TRACES.names), "sample": 0}
        told = [{**blank, "question_id": each, "completion_tokens": round(known[each])} for each in here]
        write_rows(other, told, TRACES, ["question_id"])
        places.append(place)
    plan = folder / "sharing" / "plan.json"
    plan.parent.mkdir(parents=True)
    plan.write_text(canonical_json({"settings": {"set": settings}, "shards": places}))
    jobs = []
    for shard, place in enumerate(places):
        words = [
            sys.executable, "-m", "thoughtline", "traces", "generate", "--settings", canonical_json(settings),
            "--questions", place["questions"], "--out", place["out"], "--work", place["work"],
            "--concurrency", str(concurrency), *(["--sharing", str(plan), "--sharing-seconds", "1"] if sharing else []),
        ]  # fmt: skip
        script = folder / f"{shard}.sh"
        script.write_text("#!/bin/bash\nexec " + " ".join(f"'{word}'" for word in words) + "\n")
        submit = [
            "sbatch",
            "--wait",
            "-A",
            account,
            "-p",
            "boost_usr_prod",
            "-t",
            "20",
            "-c",
            "1",
            "--mem",
            "1000",
            "-o",
            str(folder / f"{shard}.log"),
            str(script),
        ]
        environment = {
            **os.environ,
            "BENCH_JOB": str(shard),
            "PYTHONPATH": str(ROOT / "scripts"),
            "THOUGHTLINE_ENVS": str(ROOT / ".venv"),
        }
        jobs.append(subprocess.Popen(submit, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL))
    failed = [shard for shard, job in enumerate(jobs) if job.wait()]
    if failed:
        raise RuntimeError((folder / f"{failed[0]}.log").read_text()[-2000:])
    ends = np.array([service.ends[str(shard)] - service.begun for shard in range(SHARDS)])
    return {
        "sharing": sharing,
        "seconds": [round(float(each), 1) for each in ends],
        "slowest": round(float(ends.max()), 1),
        "mean": round(float(ends.mean()), 1),
        "slowest_to_mean": round(float(ends.max() / ends.mean()), 3),
        "asked_twice": sum(count - 1 for count in service.count.values()),
        "rows": [Path(place["out"]).read_bytes() for place in places],
    }


def main() -> None:
    """Both ways, and whether the shards are the same bytes."""
    parser = argparse.ArgumentParser(prog="bench.sharing_slurm", description=__doc__.splitlines()[0])
    parser.add_argument("--account", required=True, help="Slurm account")
    parser.add_argument("--traces", type=int, default=400, help="traces in all (default: 400)")
    parser.add_argument("--concurrency", type=int, default=4, help="traces in flight a job (default: 4)")
    parser.add_argument("--mean", type=float, default=4.0, metavar="S", help="mean seconds of a trace (default: 4)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--known", type=float, default=0.6, help="as in bench.sharing (default: 0.6)")
    parser.add_argument("--folder", type=Path, help="a folder that login and compute nodes share (default: /tmp)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    rows = questions_of(args.traces)
    random = np.random.default_rng(args.seed)
    question, noise = random.standard_normal((2, args.traces))
    tokens = np.minimum(lengths(np.sqrt(args.known) * question + np.sqrt(1 - args.known) * noise), LONGEST)
    known = lengths(np.sqrt(args.known) * question)
    told = {row["question_id"]: float(each) for row, each in zip(rows, known, strict=True)}
    scale = args.mean / tokens.mean()
    service = Service({row["problem"]: float(each * scale) for row, each in zip(rows, tokens, strict=True)})
    found = []
    for sharing in (False, True):
        with tempfile.TemporaryDirectory(prefix="thoughtline-sharing.", dir=args.folder) as folder:
            found.append(run(Path(folder), rows, told, service, sharing, args.concurrency, args.account))
        print(json.dumps({key: value for key, value in found[-1].items() if key != "rows"}), flush=True)
    print("same bytes:", found[0].pop("rows") == found[1].pop("rows"))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
