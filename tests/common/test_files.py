"""A final name never holds half a file."""

import os

import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.files import atomic_directory, atomic_path, read_json, sha256_file, write_json


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    final = tmp_path / "a.json"
    write_json(final, {"b": 1})
    with pytest.raises(RuntimeError), atomic_path(final) as part:
        part.write_text("half")
        raise RuntimeError
    assert read_json(final) == {"b": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_directory_is_replaced_whole(tmp_path):
    final = tmp_path / "d"
    for text in ("one", "two"):
        with atomic_directory(final) as part:
            (part / text).write_text(text)
    assert os.listdir(final) == ["two"]
    with pytest.raises(RuntimeError), atomic_directory(final) as part:
        (part / "three").write_text("three")
        raise RuntimeError
    assert os.listdir(final) == ["two"]
    assert os.listdir(tmp_path) == ["d"]


def test_broken_json_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match=r"x\.json: is not JSON"):
        read_json(tmp_path / "x.json")


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
