"""In a container that gives few devices, as `apptainer exec --containall` does, the jail still has its namespaces."""

import json
import subprocess
import sys

import pytest

FEW_DEVICES = """
mount -t tmpfs none "$1"
for name in null zero random urandom; do
  touch "$1/$name"
  mount --bind "/dev/$name" "$1/$name"
done
mount --rbind "$1" /dev
test ! -e /dev/full
exec "$2" -c "$3"
"""
JUDGE = """
import json
from thoughtline.verdicts.executor import Executor, Limits
from thoughtline.verdicts.sandbox import probe
with Executor() as executor:
    outcome = executor.run_tests("print(input())", {"inputs": ["1"], "outputs": ["1"]}, Limits())
print(json.dumps([outcome.reason, probe()["layers"]]))
"""


def inside(script, *arguments):
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-e", "-c", script, "sh", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_container_without_dev_full(tmp_path):
    if inside("true").returncode:
        pytest.skip("this machine allows no user namespaces")
    done = inside(FEW_DEVICES, str(tmp_path), sys.executable, JUDGE)
    assert done.returncode == 0, done.stderr
    reason, layers = json.loads(done.stdout)
    assert reason == "" and "namespaces" in layers
