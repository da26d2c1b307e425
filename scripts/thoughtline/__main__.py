"""`python -m thoughtline`."""

from .cli import main

main()
