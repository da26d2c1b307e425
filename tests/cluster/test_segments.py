"""A training that Slurm cuts into segments gives the weights of one that nobody interrupts."""

import shutil

from long_runs import long_run
from testbed import field, wait_for

STUDENT = "models/student-seed1"
SEGMENTS = 3


def newest_checkpoint(workspace):
    steps = [int(path.name.split("-")[1]) for path in workspace.path(f"work/{STUDENT}/run").glob("checkpoint-*")]
    return max(steps, default=0)


@long_run(after=("on_slurm",))
def chain(runs):
    """The student of `on_slurm`, trained again, in segments."""
    workspace = runs["on_slurm"].clone(runs.folder("chain"))
    for folder in (STUDENT, f"work/{STUDENT}"):
        shutil.rmtree(workspace.path(folder), ignore_errors=True)
    driver = workspace.start(f"results/tiny/{STUDENT}/model.json")
    job, last = driver.first_job(), 0
    for segment in range(1, SEGMENTS):
        wait_for("a new checkpoint", lambda last=last: newest_checkpoint(workspace) > last)
        # What the job itself does when its time is nearly over: limits of whole minutes would take the test minutes.
        workspace.path(f"work/{STUDENT}/stop").touch()
        wait_for("the next segment", lambda segment=segment: field(job, "Restarts") == str(segment))
        last = newest_checkpoint(workspace)
    driver.succeed()
    assert driver.jobs() == [job]
    assert int(field(job, "Restarts")) == SEGMENTS - 1
    return workspace


def test_segments_are_one_job(chain):
    logs = (chain.folder / "results/slurm_logs/rule_train_model").rglob("*.log")
    told = max(logs, key=lambda log: log.stat().st_mtime).read_text()
    assert told.count("goes back to the queue") == SEGMENTS - 1 and "going on from checkpoint-" in told


def test_the_same_weights(chain, on_slurm):
    files = sorted(path.name for path in on_slurm.path(f"{STUDENT}/weights").iterdir())
    assert "model.safetensors" in files
    for name in (*(f"weights/{file}" for file in files), "training.jsonl"):
        assert chain.path(f"{STUDENT}/{name}").read_bytes() == on_slurm.path(f"{STUDENT}/{name}").read_bytes(), name


def test_a_finished_model_comes_back_without_training(chain):
    """Snakemake removes the outputs of a job that it starts again, also when only its driver was gone at the end."""
    weights = chain.path(f"{STUDENT}/weights/model.safetensors")
    before, made_by = weights.read_bytes(), chain.sidecar(f"{STUDENT}/model.json")["slurm"]["slurm_job_id"]
    driver = chain.start(f"results/tiny/{STUDENT}/model.json", "--forcerun", "train_model")
    driver.succeed()
    assert len(driver.jobs()) == 1
    assert weights.read_bytes() == before
    assert chain.sidecar(f"{STUDENT}/model.json")["slurm"]["slurm_job_id"] == made_by
    log = next((chain.folder / "results/slurm_logs/rule_train_model").rglob(f"{driver.jobs()[0]}.log"))
    assert "an earlier run of this job has finished it" in log.read_text()
