"""Where a jail's process begins.

What the modules threading and random ask to be done after each fork is a third of a fork's cost here, and for nothing: the server has
one thread, and each child's random state is set anyway. So they are loaded while nothing can be registered.
"""

from __future__ import annotations

import os

_register, os.register_at_fork = os.register_at_fork, lambda **_: None
try:
    from . import server
finally:
    os.register_at_fork = _register

main = server.main
