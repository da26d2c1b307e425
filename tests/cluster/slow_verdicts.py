"""A job long enough to be disturbed: verdicts on programs that take their time, in a workspace of its own."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

from testbed import ClusterWorkspace, wait_for
from thoughtline.common.rows import QUESTIONS, TRACES, question_id, write_rows

VERDICTS = "verdicts/teacher/code-train/0000.parquet"
ROWS = 30
SECONDS = 0.7
PROBLEM = "Write a function f(x) that returns x plus 1."
PROGRAM = "```python\nimport time\ntime.sleep({seconds})\ndef f(x):\n    return x + 1 # {number}\n```"


class SlowVerdicts:
    """ROWS programs that sleep SECONDS each, judged one after the other by `verify_traces`."""

    def __init__(self, workspace: ClusterWorkspace, middle: str = "") -> None:
        """`middle`: the program in the middle, instead of one that sleeps."""
        self.workspace, self.in_image = workspace, "THOUGHTLINE_CONTAINERS" in workspace.environment
        self.journal = workspace.path("work/verdicts/teacher/code-train/0000/journal.jsonl")
        self.log = workspace.path("logs/verdicts/teacher/code-train/0000.log")
        self.out = workspace.path(VERDICTS)
        workspace.edit(
            "recipes/tiny.yaml", "code: {verifier: code, seconds: 1.0}", "code: {verifier: code, seconds: 5.0}"
        )
        asked = question_id("code", PROBLEM)
        question = {
            **dict.fromkeys(QUESTIONS.names),
            "question_id": asked, "domain": "code", "source": "two", "problem": PROBLEM, "metadata": "{}",
            "tests": json.dumps({"inputs": [[1]], "outputs": [2], "fn_name": "f"}),
        }  # fmt: skip
        programs = [PROGRAM.format(seconds=SECONDS, number=number) for number in range(ROWS)]
        if middle:
            programs[ROWS // 2] = middle
        traces = [
            {
                **dict.fromkeys(TRACES.names),
                "trace_id": f"{number:032x}", "question_id": asked, "sample": number, "seed": 1,
                "status": "finished", "response": program, "messages": "[]",
            }
            for number, program in enumerate(programs)
        ]  # fmt: skip
        self.questions = workspace.path("questions/code-train/0000.parquet")
        self.traces = workspace.path("traces/teacher/code-train/0000.parquet")
        write_rows(self.questions, [question], QUESTIONS, ["question_id"])
        write_rows(self.traces, traces, TRACES, ["question_id", "sample"])
        for path in (self.questions, self.traces):
            Path(f"{path}.prov.json").write_text("{}\n")

    def copy_shard(self, shards: int) -> list[str]:
        """Make `shards` equal shards of it; returns the verdicts' names."""
        self.workspace.edit(
            "recipes/tiny.yaml",
            "  code-train:\n    domain: code\n",
            f"  code-train:\n    domain: code\n    shards: {shards}\n",
        )
        for number in range(1, shards):
            for path in (self.questions, self.traces):
                for suffix in ("", ".prov.json"):
                    shutil.copy(f"{path}{suffix}", f"{path.with_name(f'{number:04d}.parquet')}{suffix}")
        return [VERDICTS.replace("0000", f"{number:04d}") for number in range(shards)]

    def start(self, *arguments: str):
        """Start a driver that wants the verdicts and nothing else."""
        return self.workspace.start(f"results/tiny/{VERDICTS}", *arguments)

    def finished_rows(self) -> int:
        """Rows in the journal."""
        return max(0, self.journal.read_bytes().count(b"\n") - 1) if self.journal.is_file() else 0

    def wait_for_rows(self, rows: int) -> int:
        """Wait until so many rows are finished; returns how many are."""
        wait_for(f"{rows} verdicts", lambda: self.finished_rows() >= rows)
        return self.finished_rows()

    def command(self) -> list[str]:
        """The command line of the running job, as its node's processes show it."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_text().split("\0")[:-1]
                if words[3:5] == ["verdicts", "verify"] and (process / "cwd").resolve() == self.workspace.folder:
                    return words
        raise LookupError("no such process")

    def told(self) -> str:
        """What all its jobs have printed, in order."""
        logs = self.workspace.folder.glob("results/slurm_logs/rule_verify_traces/*/*.log")
        return "".join(log.read_text() for log in sorted(logs, key=lambda log: int(log.stem)))

    def reused(self) -> list[int]:
        """Rows that each run of the command found in the journal."""
        starts = re.findall(rf"(?:0 new, (\d+) from an earlier run, )?{ROWS} verdicts(?: in all)?$", self.told(), re.M)
        return [int(number or 0) for number in starts]

    def bytes_without_slurm(self, folder: Path) -> bytes:
        """The verdicts of the same traces, made in `folder` on this machine, in the same image or environment, undisturbed."""
        other = self.workspace.clone(folder)
        other.profile = "profiles/local"
        other.site(machine="local", execution={"workers": 8})
        shutil.rmtree(other.path("verdicts"), ignore_errors=True)
        shutil.rmtree(other.path("work/verdicts"), ignore_errors=True)
        in_images = ("--software-deployment-method", "apptainer") if self.in_image else ()
        done = other.snakemake(f"results/tiny/{VERDICTS}", *in_images)
        assert done.returncode == 0, done.stdout[-4000:]
        return other.path(VERDICTS).read_bytes()
