"""A final name never holds half a file."""

import os
import subprocess
import sys

import pytest
from thoughtline.common import files
from thoughtline.common.errors import UserError
from thoughtline.common.files import atomic_directory, atomic_path, read_json, sha256_file, write_json, write_text


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


@pytest.mark.parametrize("kind", ["atomic_path", "atomic_directory"])
def test_the_next_writer_sweeps_what_a_killed_one_left_and_nothing_else(tmp_path, kind):
    final = tmp_path / "x.json"
    script = (
        "import os, signal, sys\n"
        "from thoughtline.common import files\n"
        f"with files.{kind}(sys.argv[1]):\n"
        "    print('writing', flush=True)\n"
        "    signal.pause()\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE)
        for path in (final, final, tmp_path / "x.json.prov.json")
    ]
    try:
        for writer in writers:
            assert writer.stdout.readline() == b"writing\n"
        assert len(os.listdir(tmp_path)) == 3
        writers[0].kill()
        writers[0].wait()
        with getattr(files, kind)(final) as part:
            if kind == "atomic_path":
                part.write_text("whole")
        left = [name[: -len(".xxxxxxxx.part")] for name in os.listdir(tmp_path) if name.endswith(".part")]
        assert sorted(left) == [".x.json", ".x.json.prov.json"]  # of the two that still write
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            writer.stdout.close()


def test_a_folder_in_the_place_of_a_file_is_named_itself(tmp_path):
    with pytest.raises(IsADirectoryError) as told:
        write_text(tmp_path, "words")
    assert told.value.filename == str(tmp_path) and list(tmp_path.iterdir()) == []
