"""Whether a process may ask the model hub: `thoughtline stage` may, every other command and all its children may not."""

from __future__ import annotations

import os

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""Environment variables by which the hub's libraries refuse to open a connection; they read them when they are imported."""


def go_offline() -> None:
    """From now on this process and its children read local files only."""
    os.environ.update(OFFLINE)


def go_online() -> None:
    """Let this process ask the hub, also where the shell was told to be offline. Before the hub's libraries are imported."""
    for name in OFFLINE:
        os.environ.pop(name, None)
