"""Snakemake, as the command line has it, that asks Slurm about its jobs at the pace of the profile.

By itself Slurm's plugin waits ten seconds longer after each time that no job has ended. That spares a scheduler whose jobs take hours; here jobs
take seconds, and whoever tests would wait half a minute for each.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor


async def sleep(executor: Executor) -> None:
    """Wait until the next question."""
    await asyncio.sleep(executor.workflow.remote_execution_settings.seconds_between_status_checks)


Executor.sleep = sleep

if __name__ == "__main__":
    sys.exit(main())
