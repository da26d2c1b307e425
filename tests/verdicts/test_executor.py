"""The executor: evidence, large data, what is left after a run, each mode, and the end of its owner."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from thoughtline.verdicts.executor import Limits, run_tests
from thoughtline.verdicts.sandbox import Sandbox

SUM = {"inputs": ["1 2\n"], "outputs": ["3\n"]}
ADD = "print(sum(map(int, input().split())))\n"


def reachable(path):
    """Everybody may enter the folder."""
    return all(each.stat().st_mode & 1 for each in (Path(path), *Path(path).parents))


PATIENT = Limits(wall_seconds=60)


def run_in(jail, program, stdin=b"", limits=PATIENT):
    """(exit, standard output, errors) of one run; exits by signals are negative."""
    request = {
        "form": "program",
        "program": program,
        "prelude": "",
        "count": 1,
        "careful": False,
        "sizes": [len(stdin)],
    }
    with jail.run(request, stdin, stdin, limits) as run:
        run.wait()
        return run.exit, run.output(), run.errors(), run.timed_out


def test_first_failing_test_is_the_evidence():
    tests = {"inputs": ["1 2\n", "2 2\n"], "outputs": ["3\n", "4\n"]}
    outcome = run_tests("print(3)\n", tests, Limits())
    assert outcome.reason == "wrong_answer"
    assert outcome.evidence == {
        "test": 1, "tests": 2, "input": "2 2\n", "line": 1, "expected": "4", "got": "3",
    }  # fmt: skip
    outcome = run_tests("raise KeyError('k')\n", tests, Limits())
    assert outcome.evidence == {"test": 0, "tests": 2, "input": "1 2\n", "exit": 1, "error": "KeyError: 'k'"}


def test_evidence_holds_no_addresses():
    outcome = run_tests("class A: pass\nraise ValueError(A())\n", SUM, Limits())
    assert "0x..." in outcome.evidence["error"]


def test_large_input_and_output():
    text = "\n".join(map(str, range(200_000))) + "\n"  # 1.3 MB, far beyond any pipe
    tests = {"inputs": [text], "outputs": [text]}
    assert run_tests("import sys\nsys.stdout.write(sys.stdin.read())\n", tests, Limits()).passed


@pytest.mark.parametrize("mode", ["root", "user"])
def test_nothing_survives_a_program(mode):
    leave = (
        "import os, time\n"
        "open('left', 'w').close()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "time.sleep(0.2)\n"
    )
    look = "import os\nprint(sorted(filter(str.isdigit, os.listdir('/proc')), key=int)[:1], os.getpid(), os.listdir('.'))\n"
    look += "print(len([p for p in os.listdir('/proc') if p.isdigit()]))\n"
    try:
        jail = Sandbox(mode, without=("seccomp",))  # with it no program can start another
    except Exception as error:
        pytest.skip(f"mode {mode} does not work here: {error}")
    with jail:
        assert run_in(jail, leave)[0] == 0
        seen = run_in(jail, look)[1].decode().splitlines()
        assert seen[1] == "2"  # the server and the program that looks
        assert seen[0].endswith("[]")  # and no file


def test_without_namespaces_survivors_are_killed_too(tmp_path):
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(1000)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "time.sleep(0.5)\n"
    )
    with Sandbox("none", without=("seccomp",)) as jail:
        exit, output, errors, _ = run_in(jail, program)
        assert exit == 0, errors
        assert not Path(f"/proc/{int(output)}").exists()
        folder = jail._folder.name
    assert not Path(folder).exists()


@pytest.mark.parametrize("mode", ["root", "user", "none"])
def test_each_mode_runs_honest_programs_with_limits(mode):
    try:
        jail = Sandbox(mode)
    except Exception as error:
        pytest.skip(f"mode {mode} does not work here: {error}")
    with jail:
        limits = Limits(1, 128, 1, 60)
        # As root without namespaces the program has a uid of its own, which may not reach this interpreter.
        more = "import numpy\n" if mode != "none" or reachable(sys.base_prefix) else ""
        exit, output, errors, _ = run_in(jail, more + ADD, b"1 2\n", Limits(5, 1024))
        assert (exit, output) == (0, b"3\n"), errors
        assert run_in(jail, "import os\nprint(dict(os.environ))", b"", limits)[1] == b"{}\n"
        assert run_in(jail, "x = [0] * 10**9", b"", limits)[0] == 1
        exit, _, _, timed_out = run_in(jail, "while True: pass", b"", limits)
        assert exit < 0 and not timed_out


def test_a_killed_verifier_leaves_no_process(tmp_path):
    script = (
        "import sys\n"
        "from thoughtline.verdicts.sandbox import Limits, Sandbox\n"
        "jail = Sandbox()\n"
        "print(jail._process.pid, flush=True)\n"
        "run = jail.run({'form': 'program', 'program': 'while True: pass', 'prelude': '', 'count': 1, 'sizes': [0]}, b'', b'',"
        " Limits(900, wall_seconds=900))\n"
        "run.wait()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    launcher = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    status = Path(f"/proc/{launcher}/status")

    def gone():
        try:
            return "State:\tZ" in status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True

    end = time.monotonic() + 30
    while not gone() and time.monotonic() < end:
        time.sleep(0.05)
    assert gone()
