"""What LeetCode has imported before a solution begins: `prelude: leetcode`.

Solutions of LeetCode problems use `List`, `inf`, `Counter` or `bisect_left` without importing them, because LeetCode's
environment has: "Most libraries are already imported automatically for your convenience, such as array, bisect, collections."
(https://support.leetcode.com/hc/en-us/articles/360011833974). Which ones it does not list. LiveCodeBench puts a block of imports
before every program for the same reason (lcb_runner/evaluation/testing_util.py, `import_string`), and so does APPS (eval/testing_util.py);
PRELUDE has the modules of both, and array and the definitions of nodes that LeetCode gives. Two differences: names are
never those of builtins (with LiveCodeBench's block `pow` would be math's, were builtins not imported once more), and a name that is
both a module and something in a module is the module, as in their blocks.

The text runs in the program's process as code of its own before the program, in the same namespace, so line numbers stay.
"""

from __future__ import annotations

import re
from typing import Any

from .asserts import NODES

MODULES = (
    "array", "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "io", "itertools", "json",
    "math", "operator", "random", "re", "statistics", "string", "sys", "time", "typing",
)  # fmt: skip
"""Imported as modules."""

STARRED = (
    "string", "re", "datetime", "random", "statistics", "operator", "copy", "itertools", "functools", "bisect", "heapq", "math",
    "collections", "typing",
)  # fmt: skip
"""All their public names too; of equal names the later module's stays (`sub` is operator's, `gcd` and `inf` are math's)."""

PRELUDE = "\n".join(
    [*(f"from {name} import *" for name in STARRED), "from builtins import *", f"import {', '.join(MODULES)}", NODES]
)
"""Python source."""


def prelude_of(name: str, tests: dict[str, Any]) -> str:
    """The code to run before a program that is judged by `tests`; "" for none.

    Args:
        name: a recipe's `prelude`: "none" or "leetcode". LeetCode's is for calls, and for asserts about methods of `Solution`: a
            program that reads standard input, and a solution to HumanEval or MBPP, must import what it uses.
    """
    if name == "none":
        return ""
    methods = any(re.search(r"\bSolution\b", expression) for expression in tests.get("names", {}).values())
    return PRELUDE if tests.get("fn_name") or methods else ""
