"""`snakemake --profile leonardo`, as typed from the repository's root, on a machine without Slurm, GPU, images or internet."""

import resource
from pathlib import Path

import pytest
import yaml
from conftest import jobs_of
from thoughtline.machines.load import load_machine

ROOT = Path(__file__).parents[2]
SITES = ("leonardo", "p5", "slurm")
DEMO = "recipe=recipes/demo.yaml"


def profile(name):
    (file,) = (ROOT / "profiles" / name).glob("*[eg].yaml")  # config.yaml or profile.yaml
    return yaml.safe_load(file.read_text())


@pytest.fixture
def site(copy):
    """Write the site file; it is gone after the test."""
    path = copy.folder / "site.yaml"
    yield path.write_text
    path.unlink(missing_ok=True)


def test_the_openthinker_recipe_is_planned_without_an_account(copy):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, text = copy.snakemake("--profile", "leonardo", "-n")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0, text[-3000:]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 15, "more than 15 CPU-seconds"
    jobs = [(rule, found) for rule, found in jobs_of(text) if rule != "all"]
    assert len(jobs) > 300
    assert all(
        {"slurm_partition", "qos", "nodes", "tasks", "cpus_per_task", "mem_mb", "runtime"} <= set(found)
        for _, found in jobs
    )
    trained = [found for rule, found in jobs if rule == "train_model"]
    assert (
        sorted((found["nodes"], found["gres"], found["mpi"], found["runtime"], found["qos"]) for found in trained)
        == [("8", "gpu:4", "srun", "1440", "normal")] * 3
    )
    taught = [found for rule, found in jobs if rule == "generate_traces" and found["nodes"] == "4"]
    assert len(taught) == 93
    assert all("--exclusive" in found["slurm_extra"].split() and found["tasks_per_gpu"] == "0" for found in taught)
    assert {found["slurm_partition"] for rule, found in jobs if rule in ("fetch_model", "score_model")} == {
        "lrd_all_serial"
    }
    assert "slurm_account" not in jobs[0][1]


@pytest.mark.parametrize("name", ["leonardo", "p5"])
def test_a_plan_leaves_no_folder_behind(copy, name):
    before = {path.name for path in copy.folder.iterdir()} | {".snakemake"}
    status, text = copy.snakemake("--profile", name, "-n", "--quiet", "--config", DEMO)
    assert status == 0, text[-3000:]
    assert {path.name for path in copy.folder.iterdir()} <= before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("stage=/proc/x", "config: stage: '/proc/x' cannot be made: no folder can be made in /proc (No such file"),
        ("stage=config.yaml", "config: stage: 'config.yaml' cannot be a folder: "),
        ("results=config.yaml/x", "config: results: 'config.yaml/x' cannot be a folder: "),
    ],
)
def test_a_folder_that_cannot_be_made_is_one_line(copy, given, message):
    status, text = copy.snakemake("--profile", "leonardo", "-n", "--config", DEMO, given)
    assert status != 0 and message in text.splitlines()[-1]
    assert "Traceback" not in text and "common.smk" not in text


def test_a_training_on_96_nodes_goes_to_the_quality_of_service_that_takes_it(copy):
    status, text = copy.snakemake(
        "--profile", "leonardo", "-n", "--config", "recipe=recipes/openthinker-unverified.yaml"
    )
    assert status == 0, text[-3000:]
    trained = [found for rule, found in jobs_of(text) if rule == "train_model"]
    assert sorted((found["nodes"], found["qos"]) for found in trained) == [("8", "normal"), ("96", "boost_qos_bprod")]


def test_an_account_is_sent_with_every_job(copy):
    status, text = copy.snakemake("--profile", "leonardo", "-n", "--config", "account=iscrc_x", DEMO)
    assert status == 0, text[-3000:]
    assert {found.get("slurm_account") for rule, found in jobs_of(text) if rule != "all"} == {"iscrc_x"}


def test_a_run_without_an_account_stops_before_anything_is_submitted(copy):
    status, text = copy.snakemake("--profile", "leonardo", "--config", DEMO)
    assert status == 1
    assert "config: account: is missing, and leonardo charges every job to one; give --config account=NAME" in text
    assert "sbatch" not in text
    assert not (copy.folder / "results").exists()


def test_jobs_are_never_submitted_as_if_to_this_machine(copy):
    status, text = copy.snakemake("--profile", "leonardo", "--config", "machine=local", DEMO)
    assert status == 1
    assert "config: machine: is local, but jobs are to be submitted" in text


def test_a_run_without_apptainer_stops_before_anything_is_submitted(copy):
    """Snakemake has a message of its own for it, which does not say what to do."""
    status, text = copy.snakemake("--profile", "leonardo", "--config", "account=iscrc_x", DEMO)
    assert status == 1
    assert "apptainer: is not on the PATH, and jobs run in images; load the site's module" in text
    assert "sbatch" not in text and "singularity command" not in text
    assert not (copy.folder / "results").exists()


def test_an_account_of_digits_keeps_its_zeros(copy, site):
    status, text = copy.snakemake("--profile", "leonardo", "-n", "--config", "account=007", DEMO)
    assert status == 0, text[-3000:]
    assert {found.get("slurm_account") for rule, found in jobs_of(text) if rule != "all"} == {"007"}
    site("account: '0042'\n")
    status, text = copy.snakemake("--profile", "leonardo", "-n", "--config", DEMO)
    assert status == 0, text[-3000:]
    assert {found.get("slurm_account") for rule, found in jobs_of(text) if rule != "all"} == {"0042"}


def test_the_site_file_gives_account_results_and_recipe(copy, site):
    site("account: from_site\nresults: elsewhere/results\nrecipe: recipes/demo.yaml\nexclude_nodes: [lrdn0001]\n")
    status, text = copy.snakemake("--profile", "leonardo", "-n")
    assert status == 0, text[-3000:]
    jobs = [found for rule, found in jobs_of(text) if rule != "all"]
    assert {found["slurm_account"] for found in jobs} == {"from_site"}
    assert all("--exclude=lrdn0001" in found["slurm_extra"] for found in jobs)
    assert "elsewhere/results/demo/report/index.html" in text


def test_the_command_line_comes_before_the_site_file(copy, site):
    site("account: from_site\nrecipe: recipes/demo.yaml\n")
    status, text = copy.snakemake("--profile", "p5", "-n", "--config", "account=mine")
    assert status == 0, text[-3000:]
    jobs = [found for rule, found in jobs_of(text) if rule != "all"]
    assert {found["slurm_account"] for found in jobs} == {"mine"}
    assert {found["slurm_partition"] for found in jobs} == {"p5"}


def test_the_site_file_does_not_touch_runs_on_this_machine(copy, site):
    site("account: from_site\nresults: elsewhere/results\nmachine: leonardo\n")
    status, text = copy.snakemake("--profile", "local", "-n")
    assert status == 0, text[-3000:]
    assert "elsewhere" not in text
    assert all(set(found) <= {"tmpdir", "mem_mb", "mem", "mem_mib", "runtime"} for _, found in jobs_of(text))


def test_any_cluster_by_a_machine_file_of_ones_own(copy):
    text = (copy.folder / "machines/slurm.yaml").read_text()
    (copy.folder / "machines/mine.yaml").write_text(
        text.replace("name: slurm", "name: mine").replace("  gpu:\n    node: gpu", "  accel:\n    node: gpu")
    )
    status, text = copy.snakemake("--profile", "slurm", "-n", "--config", "machine=mine", DEMO)
    assert status == 0, text[-3000:]
    assert {found["slurm_partition"] for rule, found in jobs_of(text) if rule == "generate_traces"} == {"accel"}


WRONG = {
    "an unknown key of the command line": (
        ["acount=x"],
        "",
        "config: acount: unknown key; did you mean 'account'?",
    ),
    "an unknown key of the site file": ([], "acount: x\n", "site.yaml:1: acount: unknown key; did you mean 'account'?"),
    "a number with zeros in the site file": (
        [],
        "account: 007\n",
        'site.yaml:1: 007 is the number 7 to YAML; write 7, or "007"',
    ),
    "a recipe that is not there": (
        ["recipe=demoo"],
        "",
        "recipe: there is no recipe 'demoo' (no file recipes/demoo.yaml); did you mean 'demo'?",
    ),
    "a machine that is not there": (["machine=leonarda"], "", "machine: there is no machine 'leonarda'"),
    "a QoS that is not there": (["qos=boost"], "", "leonardo has no QoS 'boost'; known: boost_qos_bprod"),
    "what fits nowhere": (
        ["qos=boost_qos_dbg"],
        "",
        "boost_usr_prod/boost_qos_dbg ends jobs after 30 minutes, before 240",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_stops_even_the_plan(copy, site, name):
    given, written, message = WRONG[name]
    if written:
        site(written)
    status, text = copy.snakemake("--profile", "leonardo", "-n", "--config", DEMO, *given)
    assert status == 1
    assert text.splitlines()[-1].startswith("Error: ") and message in text.splitlines()[-1]
    assert 'File "' not in text


@pytest.mark.parametrize("name", SITES)
def test_a_profile_and_its_machine_agree(name):
    found = profile(name)
    defaults = yaml.safe_load((ROOT / found["configfile"]).read_text())
    machine = load_machine(defaults["machine"])
    assert machine.name == name
    assert found["executor"] == "slurm"
    assert found["jobs"] <= machine.scheduler.queued
    assert found["retries"] >= 1
    assert found["rerun-triggers"] == profile("local")["rerun-triggers"]
    assert (ROOT / name).resolve() == (ROOT / "profiles" / name).resolve()


def test_no_rule_retries_by_itself():
    """A rule's own retries stay in the old allocation, where more memory and time cannot be had."""
    rules = [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
    assert not [path for path in rules if "retries:" in path.read_text()]
