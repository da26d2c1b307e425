"""Assert-style tests (HumanEval, MBPP, rllm's LeetCode) taken apart: what runs beside the asserts, what is the program's.

The canonical form is that of formats.py: {"asserts", "setup", "preamble", "names"}. A `check(candidate)` that consists of asserts
alone becomes one test for each of them, so that the first that fails can be told; any other is one test, the call of it.
"""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from typing import Any

Tests = dict[str, Any]

SEED = "import random\nrandom.seed(0)"
"""Some HumanEval checks draw random inputs; a verdict must not depend on the draw."""

NODE_HELPERS = frozenset({"list_node", "tree_node", "is_same_list", "is_same_tree"})
"""What LeetCodeDataset and rllm use in tests of linked lists and trees, and leave out of the tests themselves."""

NODE_SETUP = """\
def list_node(values):
    return {"ListNode": list(values)} if values else None
def tree_node(values):
    values = list(values)
    while values and values[-1] is None:
        values.pop()
    return {"TreeNode": values} if values else None
def is_same_list(one, other):
    return one == other
is_same_tree = is_same_list
"""
"""Beside the asserts a list or tree is plain data, its values in level order; only that passes to the program and back."""

NODES = """\
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
"""
"""The definitions that stand in a comment above LeetCode's starter code."""

NODE_PREAMBLE = (
    NODES
    + """\
def _nodes_in(value):
    if isinstance(value, dict) and len(value) == 1 and "ListNode" in value:
        head = None
        for each in reversed(value["ListNode"]):
            node = ListNode(each)
            node.next, head = head, node
        return head
    if isinstance(value, dict) and len(value) == 1 and "TreeNode" in value:
        values = iter(value["TreeNode"])
        root = TreeNode(next(values))
        waiting = [root]
        for parent in waiting:
            for side in ("left", "right"):
                each = next(values, None)
                if each is not None:
                    node = TreeNode(each)
                    setattr(parent, side, node)
                    waiting.append(node)
        return root
    return [_nodes_in(each) for each in value] if isinstance(value, list) else value
def _nodes_out(value):
    if hasattr(value, "val") and hasattr(value, "next"):
        values = []
        while value is not None:
            values.append(value.val)
            value = value.next
            if len(values) > 1000000:
                raise ValueError("the list does not end")
        return {"ListNode": values}
    if hasattr(value, "val") and hasattr(value, "left") and hasattr(value, "right"):
        row, values = [value], []
        for node in row:
            values.append(None if node is None else node.val)
            if node is not None:
                row += [node.left, node.right]
            if len(row) > 1000000:
                raise ValueError("the tree does not end")
        while values and values[-1] is None:
            values.pop()
        return {"TreeNode": values}
    return [_nodes_out(each) for each in value] if isinstance(value, list | tuple) else value
def _with_nodes(function):
    def call(*positional, **named):
        return _nodes_out(function(*map(_nodes_in, positional), **{key: _nodes_in(each) for key, each in named.items()}))
    return call
"""
)
"""In the program's process: lists and trees are built from plain data before the call, and read back after it."""


def _parsed(text: str, what: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{what} is no Python ({error})") from None


def _source(text: str, node: ast.AST) -> str:
    found = ast.get_source_segment(text, node)
    assert found is not None
    return found


def _without(text: str, nodes: list[ast.stmt]) -> str:
    """`text` without the lines of these statements."""
    lines = text.splitlines(keepends=True)
    for node in nodes:
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        for number in range(start - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    return "".join(lines)


def _bound(tree: ast.AST) -> set[str]:
    """Names that the code itself gives a value, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def _loaded(tree: ast.AST) -> list[str]:
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]


def _called(tree: ast.AST) -> list[str]:
    return [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]


def free_names(statements: str, setup: str) -> list[str]:
    """Names that asserts and their setup take from the program: neither bound by themselves nor builtins.

    Where every name is a builtin, the program has a function of that name: then it is the first one that is called.
    """
    tree = _parsed(f"{setup}\n{statements}", "the asserts with their setup")
    loaded, bound = dict.fromkeys(_loaded(tree)), _bound(tree)
    found = [name for name in loaded if name not in bound and not hasattr(builtins, name)]
    return found or [name for name in _called(_parsed(statements, "the asserts")) if name not in bound][:1]


def from_statements(statements: list[str], setup: str = "") -> Tests:
    """Tests from statements that name the program's functions themselves (MBPP)."""
    statements = [textwrap.dedent(each).strip() for each in statements if each.strip()]
    for each in statements:
        if not any(isinstance(node, ast.Assert) for node in ast.walk(_parsed(each, f"the test {each[:60]!r}"))):
            raise ValueError(f"the test {each[:60]!r} asserts nothing")
    names = free_names("\n".join(statements), setup)
    return _tests(statements, setup, "", {name: name for name in names})


def _check_of(text: str, tree: ast.Module) -> tuple[ast.FunctionDef, str]:
    """The function `check` and its parameter's name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check" and len(node.args.args) == 1:
            return node, node.args.args[0].arg
    raise ValueError("the test defines no function check(candidate)")


def _taken_apart(text: str, tree: ast.Module, others: list[ast.stmt]) -> tuple[list[str], str, str]:
    """(asserts, setup, the parameter of check); `others` are statements of `tree` that are left out of the setup."""
    check, parameter = _check_of(text, tree)
    body = [node for node in check.body if not (isinstance(node, ast.Pass) or _is_text(node))]
    if not any(isinstance(node, ast.Assert) for node in ast.walk(check)):
        raise ValueError("check(candidate) asserts nothing")
    if all(isinstance(node, ast.Assert) for node in body):
        return [_source(text, node) for node in body], _without(text, [check, *others]), parameter
    return [f"check({parameter})"], _without(text, others), parameter


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _assembled(asserts: list[str], setup: str, given: str, parameter: str, expression: str) -> Tests:
    """Tests whose asserts call `parameter`, which is `expression` of the program; `given` stands before both sides."""
    preamble, setup = given, given + setup
    if NODE_HELPERS.intersection(_loaded(_parsed("\n".join(asserts), "the asserts"))):
        preamble, setup, expression = given + NODE_PREAMBLE, given + NODE_SETUP + setup, f"_with_nodes({expression})"
    names = {name: name for name in free_names("\n".join(asserts), setup) if name != parameter}
    return _tests(asserts, setup, preamble, {parameter: expression, **names})


def _tests(asserts: list[str], setup: str, preamble: str, names: dict[str, str]) -> Tests:
    """The canonical form; a module of the standard library is imported, not asked of the program."""
    functions = _called(_parsed("\n".join(asserts), "the asserts"))
    modules = [
        name for name in names if name in sys.stdlib_module_names and name not in functions and names[name] == name
    ]
    parts = [f"import {name}" for name in modules] + ([SEED] if "random" in setup else []) + [setup.strip("\n")]
    names = {name: expression for name, expression in names.items() if name not in modules}
    text = "\n".join(part for part in parts if part.strip())
    return {"asserts": asserts, "setup": f"{text}\n" if text else "", "preamble": preamble, "names": names}


def from_check(test: str, entry_point: str, prompt: str = "") -> Tests:
    """Tests from HumanEval's columns.

    Args:
        test: code that defines check(candidate).
        entry_point: what is checked: a function's name, or an expression such as `Solution().solve`.
        prompt: code that a solution goes on from; what stands in it before the function that is asked for (imports, helper functions)
            is there for the program and for the test. Text that is no Python counts as nothing.
    """
    given = _before(prompt, entry_point)
    tree = _parsed(test, "the test")
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and "check" in _called(node)]
    asserts, setup, parameter = _taken_apart(test, tree, calls)
    return _assembled(asserts, setup, given, parameter, entry_point)


def _before(prompt: str, entry_point: str) -> str:
    """The part of a prompt before the function that is asked for, when it is Python."""
    try:
        tree = ast.parse(prompt)
    except (SyntaxError, ValueError):
        return ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == entry_point.partition("(")[0]:
            start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            prompt = "".join(prompt.splitlines(keepends=True)[: start - 1])
    return prompt.strip("\n") + "\n" if prompt.strip() else ""


def from_functional(text: str) -> Tests:
    """Tests from one text that defines check(candidate) and calls it with an expression of the program (rllm's LeetCode)."""
    tree = _parsed(text, "the functional test")
    calls = [
        node
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node)[:1] == ["check"]
    ]
    if len(calls) != 1 or len(calls[0].value.args) != 1:  # type: ignore[attr-defined]
        raise ValueError("the functional test does not call check(...) once")
    asserts, setup, parameter = _taken_apart(text, tree, list(calls))
    return _assembled(asserts, setup, "", parameter, _source(text, calls[0].value.args[0]))  # type: ignore[attr-defined]
