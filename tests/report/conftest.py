from pathlib import Path
from typing import Any

import pytest
from report_page import Page
from report_tree import RECIPE, SETTINGS, Tree
from thoughtline.report.write import write_report


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Tree:
    """A whole run with its report; read only."""
    tree = Tree(tmp_path_factory.mktemp("results") / "tiny").everything()
    report(tree)
    return tree


@pytest.fixture(scope="session")
def page(run) -> Page:
    return Page((run.root / "report" / "index.html").read_text(encoding="utf-8"))


@pytest.fixture
def tree(tmp_path) -> Tree:
    """An empty run, for tests that build or break one."""
    (tmp_path / "tiny").mkdir()
    return Tree(tmp_path / "tiny", questions=4)


def report(tree: Tree, recipe: dict[str, Any] = RECIPE) -> str:
    out: Path = tree.root / "report" / "index.html"
    write_report({"recipe": recipe, **SETTINGS}, tree.root, out)
    return out.read_text(encoding="utf-8")


@pytest.fixture
def written():
    return report
