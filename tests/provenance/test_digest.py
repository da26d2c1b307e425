"""A stage's code digest follows its imports, and nothing else."""

import io
import sys
import tokenize

import pytest
from thoughtline.common.environments import ROOT
from thoughtline.common.files import read_json, sha256_file
from thoughtline.provenance import digest
from thoughtline.provenance.sidecar import sidecar_path, write_sidecars


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules: a imports b, b imports the shared helper; c stands alone."""
    files = {
        "__init__.py": "",
        "stage/__init__.py": "",
        "stage/a.py": "from .b import f\n\n\ndef g():\n    return f()\n",
        "stage/b.py": "def f():\n    from ..shared import helper\n\n    return helper()\n",
        "stage/c.py": "x = 1\n",
        "shared.py": "def helper():\n    return 1\n",
        "common/__init__.py": "",
        "common/progress.py": "shown = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / "thoughtline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    digest.code_digest.cache_clear()
    monkeypatch.setattr(digest, "_root", lambda: tmp_path / "thoughtline")
    yield tmp_path / "thoughtline"
    digest.code_digest.cache_clear()


def fresh(*entries):
    digest.code_digest.cache_clear()
    return digest.code_digest(*entries)


def test_imports_are_followed_inside_functions_too(package):
    found = set(digest.modules_of("stage.a"))
    assert found >= {"thoughtline.stage.a", "thoughtline.stage.b", "thoughtline.shared"}
    assert "thoughtline.stage.c" not in found


def test_what_changes_a_digest(package):
    before = fresh("stage.a")
    (package / "stage/c.py").write_text("x = 2\n")
    assert fresh("stage.a") == before
    (package / "shared.py").write_text("def helper():\n    # why\n    return 1  # one\n\n\n")
    assert fresh("stage.a") == before, "comments and blank lines do not count"
    (package / "shared.py").write_text("def helper():\n    return 2\n")
    assert fresh("stage.a") != before


def test_templates_count(package):
    before = fresh("stage.a")
    (package / "stage/page.jinja").write_text("<p>")
    assert fresh("stage.a") != before


def test_what_only_shows_work_does_not_count(package):
    (package / "stage/b.py").write_text("from ..common.progress import shown\n\n\ndef f():\n    return 1\n")
    before = fresh("stage.a")
    (package / "common/progress.py").write_text("shown = 2\n")
    assert fresh("stage.a") == before


def test_a_hash_sign_in_a_string_is_no_comment():
    assert digest.significant_text("x = '#no'  # yes\n\n") == "x = '#no'"


QUOTED = r"""
a = '\'#' # one
b = r'\\'  # two
c = \"\"\"'#'
# no comment
\\\"\"\"" '\"\"\"  # three
d = '''"#
''' ''  # four
e = f'{c}#'#five
"""


def by_the_tokenizer(source):
    """Source without comments, trailing blanks and empty lines, as Python's tokenizer sees comments."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def test_comments_are_those_of_pythons_tokenizer():
    sources = [path.read_text() for path in sorted((ROOT / "scripts").rglob("*.py"))]
    assert sum("#" in source for source in sources) > 50
    for source in [QUOTED.replace(r"\"\"\"", '"' * 3), *sources]:
        assert digest.significant_text(source) == by_the_tokenizer(source)


def test_an_unknown_module_is_an_error(package):
    with pytest.raises(LookupError):
        digest.modules_of("stage.none")


def test_sidecar(tmp_path):
    (tmp_path / "in").write_text("in")
    (tmp_path / "out").write_text("out")
    counts = {"in": 3, "out": 2, "dropped": {"too_long": 1}}
    write_sidecars(
        [str(tmp_path / "out")], [str(tmp_path / "in")], {"seed": 1}, counts, "2026-01-01T00:00:00+00:00", {"rate": 2.0}
    )
    record = read_json(sidecar_path(tmp_path / "out"))
    assert record["artifact"] == {"path": str(tmp_path / "out"), "sha256": sha256_file(tmp_path / "out"), "bytes": 3}
    assert record["inputs"][0]["sha256"] == sha256_file(tmp_path / "in")
    assert record["settings"] == {"seed": 1} and record["counts"] == counts and record["details"] == {"rate": 2.0}
    assert len(record["git"]["commit"]) == 40 and record["git"]["dirty"] in (True, False)
    assert record["versions"]["python"] == sys.version.split()[0]
    assert record["started"] < record["finished"]
    assert record["command"][0] == "thoughtline"
