# What all rules share: the recipe, its paths, the settings of each job.
import functools
import inspect
import os
import shlex
import shutil
import sys
from pathlib import Path

from snakemake_interface_common.exceptions import ApiError

from thoughtline.common.errors import UserError
from thoughtline.machines import images, launch, segments
from thoughtline.machines.demands import Demands, has_internet
from thoughtline.machines.leftovers import Leftovers
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import RESOURCES, Placer
from thoughtline.machines.variables import key_variables
from thoughtline.plan.layout import Layout
from thoughtline.provenance.sidecar import git_state
from thoughtline.recipe import order, settings as recipe_settings
from thoughtline.recipe.execution import Execution, check_files, check_folder, site_settings, typed_texts, with_site
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.where import lines_of


class Refused(ApiError):
    """What is wrong in what was given, and what would be right.

    Snakemake shows such an exception as one line, unless it finds the lines of these rules that it came through, which would say nothing to whoever reads it.
    """

    __traceback__ = None


try:
    if workflow.is_main_process:
        check_files(workflow.configfiles)
    GIVEN = workflow.config_settings.config
    CONFIG = Execution.read(with_site({**config, **typed_texts(GIVEN, workflow.config_settings.config_args)}, GIVEN, site_settings()))
    if workflow.is_main_process:
        check_folder("results", CONFIG.results)
        check_folder("stage", CONFIG.stage)
    RECIPE = load(CONFIG.recipe)
    MACHINE = load_machine(CONFIG.machine)
    PATHS = Paths(RECIPE, CONFIG.results, CONFIG.stage)
    PLACER = Placer(MACHINE, CONFIG.qos, CONFIG.account, CONFIG.exclude_nodes)
    LAYOUT = Layout(RECIPE, MACHINE, PLACER, CONFIG.execution.concurrency)
    DEMANDS = Demands(RECIPE, MACHINE, LAYOUT.gpus)
    with lines_of(CONFIG.recipe):
        if workflow.is_main_process:
            from thoughtline.plan.fit import Fit
            from thoughtline.plan.models import Models
            from thoughtline.plan.work import Work

            Fit(RECIPE, MACHINE, PLACER, LAYOUT, Models(RECIPE, PATHS)).check(Work(RECIPE, PATHS, DEMANDS).items.values())
        PLACER.check(DEMANDS.needed(PATHS))
except UserError as error:
    raise Refused(f"{error}") from None

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
    os.environ.update(THOUGHTLINE_STAGE=os.path.abspath(CONFIG.stage))
    images.prepare(os.environ, MACHINE, key_variables(RECIPE), git_state())
    workflow.deployment_settings.apptainer_args = images.added(
        workflow.deployment_settings.apptainer_args, images.arguments(MACHINE, os.environ, [CONFIG.results, *PATHS.local_folders()])
    )
else:
    os.environ.pop("THOUGHTLINE_CONTAINERS", None)

# Snakemake would refuse a machine without a container runtime before we are asked. A plan needs none, and a run is refused in good words by
# check_images. Jobs are never run bare.
if workflow.is_main_process and not (shutil.which("apptainer") or shutil.which("singularity")):
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


wildcard_constraints:
    shard=r"\d{4}",
    set=either([*RECIPE.questions, *RECIPE.benchmarks]),
    benchmark=either(RECIPE.benchmarks),
    answerer=either([*RECIPE.traces, *RECIPE.models]),
    model=either(RECIPE.models),
    dataset=either(RECIPE.datasets),
    draft=either(RECIPE.drafts),
