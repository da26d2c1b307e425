"""The benchmark of the mathematics verifier runs, and finds no verdict changed."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).resolve().parents[2] / "bench" / "verify_math.py"


def test_it_runs(tmp_path):
    found = tmp_path / "found.json"
    command = [sys.executable, BENCHMARK, "--pairs", "80", "--json", found]
    printed = subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout
    figures = json.loads(found.read_text())["mixes"]["generated"]
    assert figures["pairs"] == 80
    assert figures["verdicts_changed"] == 0
    assert figures["math_verify_cpu_ms"] > figures["thoughtline_cpu_ms"] > 0
    assert "cpu_ratio" in printed
