"""`thoughtline report write`, by hand."""

import json
import subprocess
import sys

from report_tree import RECIPE, SETTINGS


def thoughtline(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "thoughtline", *words], capture_output=True, text=True)


def test_command_writes_page_tables_and_sidecar(tree):
    tree.curate("sums")
    settings = tree.root / "settings.json"
    settings.write_text(json.dumps({"recipe": RECIPE, **SETTINGS}))
    out = tree.root / "report" / "index.html"
    done = thoughtline("report", "write", "--settings", f"@{settings}", "--results", str(tree.root), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "files of the recipe are not there" in done.stderr
    assert out.is_file()
    assert sorted(path.name for path in (out.parent / "tables").iterdir()) == [
        "agreement.csv", "differences.csv", "funnel.csv", "measures.csv", "scores.csv", "yields.csv",
    ]  # fmt: skip
    sidecar = json.loads((out.parent / "index.html.prov.json").read_text())
    assert sorted(item["path"] for item in sidecar["inputs"]) == [
        str(tree.root / "questions" / "sums" / f"{shard}.parquet") for shard in ("0000", "0001")
    ]
    assert sidecar["counts"]["problems"] == 0


def test_command_names_a_bad_recipe(tree):
    done = thoughtline(
        "report",
        "write",
        "--settings",
        '{"recipe": {"name": "x"}}',
        "--results",
        str(tree.root),
        "--out",
        str(tree.root / "a.html"),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: --settings: recipe.")
