"""A small image, really built: twice to the same bytes, with its bill, and run."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from thoughtline.common.environments import ROOT
from thoughtline.common.files import read_json, sha256_file
from thoughtline.containers import build as building
from thoughtline.containers import host, sbom
from thoughtline.containers.build import Plan, build, is_current
from thoughtline.containers.table import Image, Table, read

CACHE = ROOT / "containers/cache"
"""Outside the tests' own folder, so that the Debian root is made once."""


class OneLock(Table):
    """A table whose only environment has the lock `path`."""

    path: Path

    def lock(self, environment, variant):
        return self.path


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    if found := list(host.problems(debian=True)):
        pytest.skip(f"images cannot be built here: {found[0][0]} {found[0][1]}")
    lock = tmp_path_factory.mktemp("lock") / "small.txt"
    lock.write_text(re.search(r"(?ms)^iniconfig==.*?(?=^\S)", (ROOT / "envs/data.txt").read_text()).group(0))
    table = OneLock(**read().model_dump(), path=lock)
    return Plan("small", Image(environments=["small"]), "cpu", table.variants["cpu"], table)


@pytest.fixture(scope="module")
def built(plan, tmp_path_factory):
    folders = [tmp_path_factory.mktemp("images") for _ in range(2)]
    CACHE.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        build(plan, folder, CACHE, None, lambda text: None)
    return folders


def test_the_same_plan_gives_the_same_bytes(built):
    first, second = ({path.name: sha256_file(path) for path in folder.iterdir()} for folder in built)
    assert first == second and set(first) == {"small.sif", "small.sif.sha256", "small.cdx.json"}


def test_its_sha256_and_its_bill_say_what_it_is(built):
    image = built[0] / "small.sif"
    assert Path(f"{image}.sha256").read_text() == f"{sha256_file(image)}  small.sif\n"
    bill = read_json(built[0] / "small.cdx.json")
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["hashes"][0]["content"] == sha256_file(
        image
    )
    found = {each["name"]: each for each in bill["components"]}
    assert found["iniconfig"]["purl"].startswith("pkg:pypi/iniconfig@") and found["iniconfig"]["licenses"]
    assert found["python3.11"]["purl"].startswith("pkg:deb/debian/python3.11@")
    references = [each["bom-ref"] for each in bill["components"]]
    assert len(references) == len(set(references)) > 60


def test_the_command_line_runs_the_bound_repository(built):
    def run(*arguments):
        words = ["apptainer", "exec", "--containall", "--cleanenv", *arguments]
        return subprocess.run(
            [*words, str(built[0] / "small.sif"), "thoughtline", "--version"], capture_output=True, text=True
        )

    assert re.fullmatch(r"thoughtline [\d.]+\n", run("--bind", str(ROOT), "--pwd", str(ROOT)).stdout)
    lost = run("--pwd", "/")
    assert lost.returncode == 2 and "bind the repository" in lost.stderr


def test_it_is_built_again_only_when_something_has_changed(built, plan, tmp_path, monkeypatch):
    folder = tmp_path / "images"
    shutil.copytree(built[0], folder)
    assert is_current(plan, folder)
    with monkeypatch.context() as patched:
        entry = tmp_path / "thoughtline"
        entry.write_text("another")
        patched.setattr(building, "ENTRY", entry)
        assert not is_current(plan, folder)
    image = folder / "small.sif"
    image.touch()
    assert not is_current(plan, folder)
    shutil.copytree(built[0], folder, dirs_exist_ok=True)
    (folder / "small.sif.sha256").write_text("0" * 64)
    assert not is_current(plan, folder)


def test_a_build_that_fails_leaves_nothing_and_names_its_log(plan, tmp_path, monkeypatch):
    entry = tmp_path / "image.def"
    entry.write_text(
        (ROOT / "containers/image.def").read_text().replace("  set -e\n", "  set -e\n  echo no-luck; exit 3\n")
    )
    monkeypatch.setattr(building, "TEMPLATE", entry)
    before = set(CACHE.glob("build-*"))
    with pytest.raises(Exception, match="no-luck"):
        build(plan, tmp_path / "images", CACHE, None, lambda text: None)
    assert not (tmp_path / "images").exists() and set(CACHE.glob("build-*")) == before


def test_licences_as_packages_write_them():
    assert sbom.licences(["Expat", "MIT", "GPL-2+", "Foo  licence", "BSD License"]) == [
        {"license": {"id": "MIT"}}, {"license": {"id": "GPL-2.0-or-later"}}, {"license": {"name": "Foo licence"}},
    ]  # fmt: skip
    assert json.dumps(sbom.licences([])) == "[]"
