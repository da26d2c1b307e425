"""With Slurm's settings the driver tells trace jobs of each other: the first job's engine answers for both, to the same bytes."""

import json

from workspace import Workspace

SHARDS = [f"results/tiny/traces/teacher/math-train/000{number}.parquet" for number in (0, 1)]


def test_one_engine_answers_both_shards(finished, tmp_path, tiny_model, staged):
    workspace = Workspace(tmp_path, tiny_model, staged)
    run = workspace.snakemake("--config", "machine=slurm", "account=none", "--", *SHARDS)
    assert run.returncode == 0, run.stdout[-8000:]
    plan = json.loads((tmp_path / "results/tiny/work/sharing/teacher/plan.json").read_text())
    assert [each["out"] for each in plan["shards"]] == SHARDS, "the shards of this run and no others"
    details = []
    for shard in SHARDS:
        assert (tmp_path / shard).read_bytes() == (finished.folder / shard).read_bytes()
        details.append(json.loads((tmp_path / f"{shard}.prov.json").read_text())["details"])
    first, second = sorted(details, key=lambda each: -each["rows_for_others"])
    assert first["rows_for_others"] == second["rows_by_others"] == second["rows_reused"] > 0
    assert "server" in first and "server" not in second, "the second needed no engine"
