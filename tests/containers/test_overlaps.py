"""Packages of one lock that would write over each other's files."""

import zipfile
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.containers.overlaps import check, overlaps


@pytest.fixture
def wheel(tmp_path):
    """Make a wheel of {file: content}."""

    def make(name: str, **files: str) -> Path:
        path = tmp_path / f"{name}-1-py3-none-any.whl"
        contents = {key.replace("__", "/").removesuffix("_py") + ".py": text for key, text in files.items()}
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in contents.items():
                archive.writestr(file, text)
            rows = [f"{file},sha256={text},{len(text)}" for file, text in contents.items()]
            archive.writestr(f"{name}-1.dist-info/RECORD", "\n".join([*rows, f"{name}-1.dist-info/RECORD,,"]))
        return path

    return make


def test_different_files_of_one_name_are_named_with_their_packages(wheel):
    one = wheel("bindings", cuda__runtime_py="new", cuda__driver_py="new")
    other = wheel("monolith", cuda__runtime_py="old", cuda__driver_py="old", cuda__more_py="old")
    with pytest.raises(UserError, match=r"bindings-1-.*monolith-1-.* cuda/runtime.py, .*1 more") as error:
        check([other, one], Path("envs/x.txt"))
    assert error.value.where == "envs/x.txt"


def test_equal_files_and_leftovers_of_builds_are_no_matter(wheel):
    one = wheel("a", shared__space_py="same", build_backend_py="a")
    other = wheel("b", shared__space_py="same", build_backend_py="b", b__own_py="b")
    assert overlaps([one, other]) == {}
    check([one, other], Path("envs/x.txt"))
