"""A training that Slurm cuts into segments gives the weights of one that nobody interrupts."""

import pytest
from testbed import field, wait_for

STUDENT = "models/student-seed1"
SEGMENTS = 3


def newest_checkpoint(workspace):
    steps = [int(path.name.split("-")[1]) for path in workspace.path(f"work/{STUDENT}/run").glob("checkpoint-*")]
    return max(steps, default=0)


def train(workspace):
    """Many steps, many checkpoints."""
    workspace.edit("recipes/tiny.yaml", "        epochs: 1\n", "        epochs: 20\n")
    return workspace.start(f"results/tiny/{STUDENT}/model.json")


@pytest.fixture(scope="module")
def trained(on_slurm, tmp_path_factory):
    """(uninterrupted, in segments, the latter's number of segments as Slurm counts them)."""
    whole, chain = (on_slurm.clone(tmp_path_factory.mktemp(name)) for name in ("whole", "chain"))
    for workspace in (whole, chain):
        assert not workspace.path(f"work/{STUDENT}/run").exists()
    first, second = train(whole), train(chain)
    job, last = second.first_job(), 0
    for segment in range(1, SEGMENTS):
        last = wait_for("a new checkpoint", lambda last=last: (step := newest_checkpoint(chain)) > last and step)
        # What the job itself does when its time is nearly over: limits of whole minutes would take the test minutes.
        chain.path(f"work/{STUDENT}/stop").touch()
        wait_for("the next segment", lambda segment=segment: field(job, "Restarts") == str(segment))
        last = newest_checkpoint(chain)
    first.succeed()
    second.succeed()
    assert second.jobs() == [job]
    return whole, chain, int(field(job, "Restarts")) + 1


def test_segments_are_one_job(trained):
    _, chain, segments = trained
    assert segments == SEGMENTS
    told = next((chain.folder / "results/slurm_logs/rule_train_model").rglob("*.log")).read_text()
    assert told.count("goes back to the queue") == SEGMENTS - 1 and "going on from checkpoint-" in told


def test_the_same_weights(trained):
    whole, chain, _ = trained
    files = sorted(path.name for path in whole.path(f"{STUDENT}/weights").iterdir())
    assert "model.safetensors" in files
    for name in files:
        assert (whole.path(f"{STUDENT}/weights") / name).read_bytes() == (
            chain.path(f"{STUDENT}/weights") / name
        ).read_bytes(), name
    assert whole.path(f"{STUDENT}/training.jsonl").read_bytes() == chain.path(f"{STUDENT}/training.jsonl").read_bytes()
