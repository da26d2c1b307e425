# What all rules share: the recipe, its paths, the settings of each job.
import functools
import inspect
import os
import shlex
import shutil
import sys
from pathlib import Path

from thoughtline.common.errors import UserError
from thoughtline.common.files import write_json
from thoughtline.machines import images, launch, segments
from thoughtline.machines.demands import Demands, has_internet
from thoughtline.machines.leftovers import Leftovers
from thoughtline.machines.load import known_machines, load_machine
from thoughtline.machines.place import RESOURCES, Placer
from thoughtline.machines.variables import key_variables
from thoughtline.provenance.sidecar import git_state
from thoughtline.recipe import order, settings as recipe_settings
from thoughtline.recipe.execution import Execution, site_settings, with_site
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths
from thoughtline.stage.reach import why_unreachable

try:
    CONFIG = Execution.read(with_site(config, workflow.config_settings.config, site_settings(Path.cwd())))
    RECIPE = load(CONFIG.recipe)
    MACHINE = load_machine(CONFIG.machine)
    PATHS = Paths(RECIPE, CONFIG.results, CONFIG.stage)
    DEMANDS = Demands(RECIPE, MACHINE)
    PLACER = Placer(MACHINE, CONFIG.qos, CONFIG.account, CONFIG.exclude_nodes)
    PLACER.check(DEMANDS.needed(PATHS))
except UserError as error:
    raise WorkflowError(f"{error}") from None

EXECUTION = CONFIG.execution
ON_CLUSTER = MACHINE.is_slurm
SHARING = ON_CLUSTER and EXECUTION.sharing
R = PATHS.root
LEFTOVERS = Leftovers()

if MACHINE.is_slurm and not workflow.is_main_process:
    segments.watch(Path(R, "work"))

# Jobs run in images where the command line or the profile says so (--software-deployment-method apptainer).
IN_CONTAINERS = images.uses_containers(workflow.deployment_settings.deployment_method)
IMAGES = images.image_folder(os.environ)
if IN_CONTAINERS:
    # Containers see the stage only if it is there when they start.
    os.makedirs(CONFIG.stage, exist_ok=True)
    os.environ.update(THOUGHTLINE_STAGE=os.path.abspath(CONFIG.stage))
    images.prepare(os.environ, MACHINE, key_variables(RECIPE), git_state())
    workflow.deployment_settings.apptainer_args = images.added(
        workflow.deployment_settings.apptainer_args, images.arguments(MACHINE, os.environ, [CONFIG.results, *PATHS.local_folders()])
    )
else:
    os.environ.pop("THOUGHTLINE_CONTAINERS", None)

# Planning needs no container runtime: a dry run works on a machine that has none.
if workflow.output_settings.dryrun and not (shutil.which("apptainer") or shutil.which("singularity")):
    workflow.deployment_settings.deployment_method = frozenset()

# For jobs that span nodes: they start their containers on each node by themselves.
os.environ[launch.MACHINE] = CONFIG.machine

# `thoughtline` stands beside the Python that runs Snakemake, also when its folder is not on the PATH; an image has its own.
shell.prefix(f"set -euo pipefail; [ -d /.singularity.d ] || export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH; ")


def image(environment):
    """The image that holds an environment."""
    return str(IMAGES / f"{environment}.sif")


def image_unless_spread(environment, demand):
    """The image where jobs may span nodes; None for one that does, since it starts containers on each node by itself."""
    return lambda wildcards: None if PLACER.place(demand(wildcards)).nodes > 1 else image(environment)


def nodes_of(wildcards, resources):
    """How many nodes a job got."""
    return resources.get("nodes", 1)


@functools.cache
def settings_of(stage, *names):
    """The canonical settings of one job: its only parameter, so its only reason to run again beside its inputs."""
    return recipe_settings.text(getattr(recipe_settings, stage)(RECIPE, *names))


def placed(demand):
    """Resources of a rule whose jobs need `demand(wildcards)`, as the machine gives them; more at each attempt."""

    def resource(key):
        def value(wildcards, attempt):
            return PLACER.resources(demand(wildcards), attempt)[key]

        # Snakemake asks for it at every job and key, and working it out takes longer than the answer.
        value.__signature__ = inspect.signature(value)
        return value

    if not ON_CLUSTER:
        return {key: resource(key) for key in ("mem_mb", "runtime")}

    own = resource("slurm_extra")

    def extra(wildcards, attempt, rulename):
        # A requeued job goes on in its log.
        parts = ["--open-mode=append", own(wildcards, attempt), LEFTOVERS.dependency(rulename, wildcards)]
        return " ".join(filter(None, parts))

    return {**{key: resource(key) for key in RESOURCES}, "slurm_extra": extra}


def threads_of(demand, here):
    """Threads of such a rule: the cores that the machine gives, or `here` on this machine."""
    if not MACHINE.is_slurm:
        return here
    return lambda wildcards, attempt: PLACER.place(demand(wildcards), attempt).cpus


def take_over():
    """Be this folder's only driver, and see to the jobs that an earlier one left in the queue."""
    try:
        told = LEFTOVERS.take_over(Path.cwd(), Path(R, "work/driver"))
    except UserError as error:
        raise WorkflowError(f"{error}") from None
    if told:
        print(told, file=sys.stderr)


def check_submission():
    """Stop before the first job of a run for which something is missing that planning can do without."""
    if MACHINE.scheduler.account == "required" and not CONFIG.account:
        raise WorkflowError(f"config: account: is missing, and {MACHINE.name} charges every job to one; give --config account=NAME, or the key in site.yaml")
    if workflow.non_local_exec and not MACHINE.is_slurm:
        raise WorkflowError(
            f"config: machine: is {MACHINE.name}, but jobs are to be submitted; name the cluster, --config machine=NAME (known: {', '.join(known_machines())})"
        )


def check_staging(jobs):
    """Stop before the first job of a run if the hub is needed and cannot be reached, or a revision only holds its place."""
    needs = PATHS.needs()
    missing = sorted({needs[job.output.manifest] for job in jobs if job.rule.name == "stage_repository"}, key=str)
    try:
        for need in missing:
            need.must_be_pinned(f"{CONFIG.recipe}: {need.id}")
    except UserError as error:
        raise WorkflowError(f"{error}") from None
    if missing and not has_internet(MACHINE) and (why := why_unreachable()):
        raise WorkflowError(
            f"not staged in {CONFIG.stage}/: {'; '.join(map(str, missing))}. The hub cannot be reached from here: {why}. On a machine with internet run"
            f" `snakemake --profile {MACHINE.name} stage`, or `thoughtline stage fetch {CONFIG.recipe} --stage {CONFIG.stage}`, and copy that folder here"
        )


def later(function, *arguments):
    """The value of `function`, asked for when a job needs it: each job loads these rules, and digests of code that it never runs cost time."""
    return lambda wildcards: function(*arguments)


def fixed(value):
    """`value` as an input function: Snakemake looks for wildcards in plain strings, and settings are full of braces."""
    return lambda wildcards: value


def either(names):
    """A wildcard constraint: one of these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def priority_of(kind, on_one_machine):
    """A job's priority: on a cluster by what waits for it (recipe/order.py), on one machine the number given."""
    if not ON_CLUSTER:
        return on_one_machine
    return lambda wildcards: getattr(order, f"priority_of_{kind}")(RECIPE, wildcards.answerer, wildcards.set)


def write_sharing_plans(jobs):
    """Tell the trace jobs of this run which shards they may answer for each other."""
    wanted = [tuple(job.wildcards_dict[key] for key in ("answerer", "set", "shard")) for job in jobs if job.rule.name == "generate_traces"]
    for path, plan in order.sharing_plans(RECIPE, PATHS, wanted).items():
        write_json(path, plan)


def check_images(jobs):
    """Stop before the first of `jobs` if the images that they run in are missing, or cannot be run here."""
    try:
        # Jobs that span nodes have none by Snakemake's account.
        spread = {"train_model": image("train"), "generate_traces": image("generate")}
        used = {job.container_img_url or spread.get(job.rule.name) for job in jobs if IN_CONTAINERS}
        images.check(Path(each) for each in used if each)
    except UserError as error:
        raise WorkflowError(f"{error}") from None


wildcard_constraints:
    shard=r"\d{4}",
    set=either([*RECIPE.questions, *RECIPE.benchmarks]),
    benchmark=either(RECIPE.benchmarks),
    answerer=either([*RECIPE.traces, *RECIPE.models]),
    model=either(RECIPE.models),
    dataset=either(RECIPE.datasets),
