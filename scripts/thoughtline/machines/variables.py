"""Which environment variables enter a container: those listed here, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..common.environments import ROOT
from ..recipe.schema.recipe import Recipe
from .schema import Machine

ALLOWED = {
    "CUDA_VISIBLE_DEVICES": "the GPUs that Slurm gave the job",
    "ROCR_VISIBLE_DEVICES": "the same on AMD",
    "SLURM_JOB_ID": "sidecars and leases name the job; a model server ends with it",
    "SLURM_ARRAY_JOB_ID": "sidecars",
    "SLURM_ARRAY_TASK_ID": "sidecars",
    "SLURM_JOB_PARTITION": "sidecars",
    "SLURM_CLUSTER_NAME": "sidecars",
    "THOUGHTLINE_AGAIN": "where a command that is out of time asks to run again",
    "THOUGHTLINE_STAGE": "the folder of staged models and data sets",
    "THOUGHTLINE_GIT": "the repository's state for sidecars: images hold no git",
    "VLLM_CPU_KVCACHE_SPACE": "memory of a model server without GPU, GiB",
    "HF_ENDPOINT": "a mirror of the hub, for jobs that fetch",
    "HF_TOKEN": "access to gated models and data sets, for jobs that fetch",
    "HTTP_PROXY": "the site's way to the internet, for jobs that fetch",
    "HTTPS_PROXY": "the same",
    "NO_PROXY": "the same",
    "http_proxy": "the same",
    "https_proxy": "the same",
    "no_proxy": "the same",
}
"""Variable -> why a job needs it. The machine's network variables and the recipe's key variables of endpoints come on top."""

CARRIERS = ("APPTAINERENV_", "SINGULARITYENV_")
"""Prefixes of variables that Apptainer carries into containers, also with --cleanenv."""
WHOLESALE = ("APPTAINER_ENV", "APPTAINER_ENV_FILE", "SINGULARITY_ENV", "SINGULARITY_ENV_FILE")
"""Variables that stand for Apptainer's --env and --env-file."""


def key_variables(recipe: Recipe) -> list[str]:
    """Names of the variables that hold the keys of the recipe's endpoints."""
    endpoints = [model.endpoint for model in recipe.models.values() if model.endpoint]
    return sorted({each.key_variable for each in endpoints if each.key_variable})


def container_environment(environ: Mapping[str, str], machine: Machine, keys: Iterable[str] = ()) -> dict[str, str]:
    """Variables of a job inside its container, by their names there.

    Args:
        environ: the job's environment outside.
        machine: its network variables enter with the values of its file. So does THOUGHTLINE_ROOT, this repository.
        keys: further names (`key_variables`).
    """
    found = {"THOUGHTLINE_ROOT": str(ROOT), **(machine.network.variables if machine.network else {})}
    return found | {name: environ[name] for name in [*ALLOWED, *keys] if name in environ}


def carried(environ: Mapping[str, str], entering: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process that starts `apptainer exec --cleanenv`: of all its variables, only `entering` get into the container."""
    kept = {name: value for name, value in environ.items() if not name.startswith(CARRIERS) and name not in WHOLESALE}
    return kept | {f"{CARRIERS[0]}{name}": value for name, value in entering.items()}
