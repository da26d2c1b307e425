"""An image's bytes follow from its files alone, and Apptainer reads them."""

import os
import shutil
import struct
import subprocess

import pytest
from thoughtline.containers.isolation import isolated
from thoughtline.containers.sif import DESCRIPTOR, HEADER, write_sif

EPOCH = 1_767_225_600


def test_the_same_file_system_gives_the_same_bytes(tmp_path):
    squashfs = tmp_path / "root.squashfs"
    squashfs.write_bytes(os.urandom(5000))
    for name in ("a.sif", "b.sif"):
        write_sif(squashfs, tmp_path / name, EPOCH)
    assert (tmp_path / "a.sif").read_bytes() == (tmp_path / "b.sif").read_bytes()
    squashfs.write_bytes(os.urandom(5000))
    write_sif(squashfs, tmp_path / "b.sif", EPOCH)
    identities = [HEADER.unpack_from((tmp_path / name).read_bytes())[4] for name in ("a.sif", "b.sif")]
    assert identities[0] != identities[1]


def test_the_partition_is_where_the_descriptor_says(tmp_path):
    content = os.urandom(4097)
    (tmp_path / "root.squashfs").write_bytes(content)
    write_sif(tmp_path / "root.squashfs", tmp_path / "a.sif", EPOCH)
    data = (tmp_path / "a.sif").read_bytes()
    header = HEADER.unpack_from(data)
    descriptor = DESCRIPTOR.unpack_from(data, header[9])
    offset, size = descriptor[5:7]
    assert data[offset : offset + size] == content
    assert offset % 4096 == 0 and len(data) == header[11] + header[12] == offset + 8192


@pytest.mark.skipif(not (shutil.which("apptainer") and shutil.which("mksquashfs")), reason="wants apptainer")
def test_apptainer_writes_the_same_but_for_identity_and_times(tmp_path):
    """Against Apptainer's own writer: only what would differ between two of its builds may differ."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("text")
    script = (
        "mksquashfs /mnt/here/folder /mnt/here/root.squashfs -quiet -no-progress && apptainer sif new /mnt/here/theirs.sif && "
        "apptainer sif add --datatype 4 --parttype 2 --partfs 1 --partarch 2 --groupid 1 /mnt/here/theirs.sif /mnt/here/root.squashfs"
    )
    done = subprocess.run(isolated(["sh", "-c", script], {"here": tmp_path}), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    write_sif(tmp_path / "root.squashfs", tmp_path / "ours.sif", EPOCH)
    theirs, ours = ((tmp_path / name).read_bytes() for name in ("theirs.sif", "ours.sif"))
    free = {*range(32), *range(48, 80), *range(4096 + 41, 4096 + 73)}
    """Launch script, identity and times; the partition's times and owner."""
    assert len(ours) == len(theirs)
    assert [at for at in range(len(ours)) if ours[at] != theirs[at] and at not in free] == []
    assert struct.unpack_from("<qq", ours, 64) == (EPOCH, EPOCH)
