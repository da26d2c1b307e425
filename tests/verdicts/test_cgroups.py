"""Whether the job, not the program, ran out of memory: by its control groups, or, where none can be seen, by the kernel's own count."""

import re
from pathlib import Path

from thoughtline.verdicts import cgroups


def test_without_groups_the_kernels_count_of_kills_decides(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "cgroup")
    told = re.search(r"^oom_kill (\d+)", Path("/proc/vmstat").read_text(), re.M)
    assert cgroups.limits_reached() == int(told[1] if told else 0)
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("pgfault 12\noom_kill 3\n")
    monkeypatch.setattr(cgroups, "VMSTAT", vmstat)
    assert cgroups.limits_reached() == 3
    vmstat.unlink()
    assert cgroups.limits_reached() == 0
