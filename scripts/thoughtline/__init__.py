"""Thoughtline: open reasoning-model releases, reproduced end to end as one pipeline over files."""

__version__ = "0.1.0"
