"""A build as root must not be able to remove anything of the machine that it runs on."""

import re
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.containers.clean import empty, mounts_below, remove

TEMPLATE = Path(__file__).parents[2] / "containers/image.def"


def test_the_definition_removes_nothing():
    post = re.search(r"(?ms)^%post$(.*?)^%environment$", TEMPLATE.read_text()).group(1)
    words = re.sub(r"(?m)^\s*#.*$", "", post)
    assert not re.search(r"\b(rm|rmdir|unlink|shred|truncate|mv|rsync|rmtree|remove)\b|-delete\b", words)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "tmp/deep").mkdir(parents=True)
    (folder / "tmp/deep/file").touch()
    (folder / "usr").mkdir()
    (folder / "usr/kept").touch()
    return folder


def test_only_what_builds_leave_behind_goes(root):
    empty(root)
    assert not list((root / "tmp").iterdir()) and (root / "usr/kept").exists()


def test_a_link_inside_is_unlinked_not_followed(root, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").touch()
    (root / "tmp/link").symlink_to(tmp_path / "outside")
    empty(root)
    assert (tmp_path / "outside/precious").exists() and not (root / "tmp/link").exists()


@pytest.mark.parametrize("place", ["var/log", "var"])
def test_a_folder_that_leads_out_is_refused(root, tmp_path, place):
    (tmp_path / "outside/log").mkdir(parents=True)
    (tmp_path / "outside/log/precious").touch()
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).symlink_to(tmp_path / "outside" / ("log" if place == "var/log" else ""))
    with pytest.raises(UserError, match="may lead to the host"):
        empty(root)
    assert (tmp_path / "outside/log/precious").exists()


def test_mount_points_are_found_with_spaces_too():
    text = "1 2 0:3 / /b rw - a b c\n1 2 0:3 / /b/root/my\\040tmp rw - a b c\n1 2 0:3 / /b/rooted rw - a b c\n"
    assert mounts_below(Path("/b/root"), text) == ["/b/root/my tmp"]


def test_nothing_is_removed_where_something_is_mounted(root, monkeypatch):
    text = f"1 2 0:3 / {root}/tmp rw - tmpfs none rw\n"
    monkeypatch.setattr(Path, "read_text", lambda self, **_: text)
    for action in (empty, remove):
        with pytest.raises(UserError, match="is mounted there"):
            action(root)
    assert (root / "tmp/deep/file").exists()
