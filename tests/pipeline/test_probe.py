"""`thoughtline plan --probe`: a few rows and steps of the real pipeline, and what a plan makes of them."""

import json
import subprocess

from workspace import DRIVER, Workspace


def test_a_probe_measures_this_machine_and_wastes_no_row(tmp_path, tiny_model):
    workspace = Workspace(tmp_path, tiny_model)
    command = [str(DRIVER / "python"), "-m", "thoughtline", "plan"]

    def plan(*options):
        run = subprocess.run(
            [*command, *options], cwd=workspace.folder, env=workspace.environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-3000:]
        return run.stdout

    # Nothing was curated and the model has no entry in the table of architectures: its config.json tells it.
    assert "machine hours" in plan("--json", "before.json")
    plan("--probe", "--keep", "--json", "after.json")
    before, after = (json.loads((workspace.folder / name).read_text()) for name in ("before.json", "after.json"))
    assert before["total"] is None
    assert after["total"]["hours"] > 0 and after["rates"].startswith("a probe of ")
    probe = json.loads((workspace.folder / "results/tiny/work/probe.json").read_text())
    assert set(probe["generation"]) == {"teacher", "noise"} and set(probe["training"]) == {"student-seed1"}
    assert all(
        each["tokens_per_second"] > 0 for found in probe["generation"].values() for each in found["sets"].values()
    )
    assert probe["training"]["student-seed1"]["flops_per_second"] > 0
    # What was asked is in the journals of the real jobs, and no longer in the plan.
    rows = {tuple(line["names"]): line["rows"] for line in before["lines"] if line["stage"] == "traces"}
    for line in after["lines"]:
        if line["stage"] == "traces" and line["names"][0] in ("teacher", "noise"):
            assert line["rows"] < rows[tuple(line["names"])]
    assert not (workspace.folder / "results/tiny/work/probe/models/student-seed1/weights").exists()
    assert json.loads((workspace.folder / "results/tiny/plan.json").read_text()) == after
    # The probe is no part of the run.
    assert not any("probe" in job for job in workspace.planned())
