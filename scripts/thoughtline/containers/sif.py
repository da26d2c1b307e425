"""A SIF image with one squashfs partition, whose bytes depend on the partition alone.

Apptainer puts a random identity and the time into each image that it writes, so two builds of the same files differ. The
layout is that of SIF version 1 (https://github.com/apptainer/sif, pkg/sif): a header of 128 bytes, a table of descriptors,
the data at the next whole page; all numbers little-endian.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

from ..common.files import sha256_file

HEADER = struct.Struct("<32s10s3s3s16s8q")
"""Launch script, magic, version, architecture, identity; created, modified, descriptors free and in all, their offset and bytes, the
data's offset and bytes."""
DESCRIPTOR = struct.Struct("<i?IIIqqqqqqq128s384s")
"""Type, in use, identity, group, link; offset, bytes, bytes with padding, created, modified, user, group; name, extra."""
PARTITION = struct.Struct("<ii3s")
"""File system, kind, architecture: the `extra` of a partition."""
LAUNCH = b"#!/usr/bin/env run-singularity\n"
MAGIC, VERSION, AMD64 = b"SIF_MAGIC\0", b"01\0", b"02\0"
TYPE_PARTITION, SQUASHFS, PRIMARY_SYSTEM = 0x4004, 1, 2
GROUP = 0xF0000001
"""The first group; groups are marked by their highest bits."""
DESCRIPTORS, TABLE, PAGE = 48, 4096, 4096


def write_sif(squashfs: Path, target: Path, epoch: int) -> None:
    """Write `target`, an image for amd64 of the file system `squashfs`, with `epoch` as its time."""
    size = squashfs.stat().st_size
    end_of_table = TABLE + DESCRIPTORS * DESCRIPTOR.size
    offset = -(-end_of_table // PAGE) * PAGE
    padded = -(-size // PAGE) * PAGE
    identity = hashlib.sha256(f"thoughtline {sha256_file(squashfs)}".encode()).digest()[:16]
    # 16 bytes as a UUID of version 8: made by a rule of one's own
    identity = identity[:6] + bytes([identity[6] & 0x0F | 0x80, identity[7], identity[8] & 0x3F | 0x80]) + identity[9:]
    times = (epoch, epoch)
    header = HEADER.pack(
        LAUNCH, MAGIC, VERSION, AMD64, identity, *times,
        DESCRIPTORS - 1, DESCRIPTORS, TABLE, DESCRIPTORS * DESCRIPTOR.size, end_of_table, offset - end_of_table + padded,
    )  # fmt: skip
    extra = PARTITION.pack(SQUASHFS, PRIMARY_SYSTEM, AMD64)
    descriptor = DESCRIPTOR.pack(
        TYPE_PARTITION, True, 1, GROUP, 0, offset, size, offset - end_of_table + padded, *times, 0, 0, b"", extra
    )
    with open(target, "wb") as out, open(squashfs, "rb") as stream:
        out.write(header)
        out.seek(TABLE)
        out.write(descriptor)
        out.seek(offset)
        shutil.copyfileobj(stream, out, 1 << 20)
        out.truncate(offset + padded)
    target.chmod(0o755)
