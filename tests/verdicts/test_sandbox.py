"""The jail: each layer by itself, refusal where a protection is missing, limits under load, nothing left behind."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.cgroups import ROOT
from thoughtline.verdicts.executor import Executor, Limits, Unprotected
from thoughtline.verdicts.jail import server
from thoughtline.verdicts.prelude import PRELUDE
from thoughtline.verdicts.sandbox import LAYERS, MODES, PROTECTIONS, Sandbox, SandboxError, best_mode, probe, unshielded
from verdict_rows import question, trace

ALL = tuple(PROTECTIONS)
DOUBLE = "print(2 * int(input()))\n"
NUMBERS = {"inputs": [f"{n}\n" for n in range(30)], "outputs": [f"{2 * n}\n" for n in range(30)]}
LIMITS = Limits(1, 512, 2, 60)


def executor(mode=None, without=(), **options):
    """An Executor with just these layers, or a skip where this machine lacks the mode."""
    try:
        with Sandbox(mode, without=without) as jail:
            layers = jail.layers
    except SandboxError as error:
        pytest.skip(f"mode {mode} does not work here: {error}")
    return Executor(ALL, mode=mode, without=without, **options), layers


def said(program, mode, without):
    """What a program prints in a jail with just these layers."""
    ours, _ = executor(mode, without)
    with ours:
        outcome = ours.run_tests(program, {"inputs": [""], "outputs": ["?\n"]}, LIMITS)
    return outcome.evidence.get("got") or outcome.evidence.get("error") or outcome.reason


READS = "try: print(open({!r}).read())\nexcept OSError as error: print(type(error).__name__)\n"
CONNECTS = (
    "import socket\n"
    "try:\n    s = socket.socket()\n    s.connect(('127.0.0.1', {}))\n    print(s.recv(100).decode())\n"
    "except OSError as error: print(type(error).__name__)\n"
)
SIGNALS = "import os\ntry: os.kill({}, 0); print('reached')\nexcept OSError as error: print(type(error).__name__)\n"
FORKS = (
    "import os\ntry: print('forked' if os.fork() else 'child')\nexcept OSError as error: print(type(error).__name__)\n"
)
ONLY = {layer: tuple(each for each in LAYERS if each != layer) for layer in LAYERS}


@pytest.mark.parametrize(
    ("mode", "without"),
    [("root", ONLY["namespaces"]), ("user", ONLY["namespaces"]), ("none", ONLY["landlock"]), ("none", ())],
    ids=["namespaces-root", "namespaces-user", "landlock", "all-but-namespaces"],
)
def test_files_are_out_of_reach(mode, without, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(token := secrets.token_hex(8))
    secret.chmod(0o644)
    found = said(READS.format(str(secret)), mode, without)
    assert found in ("FileNotFoundError", "PermissionError")
    assert token not in found


@pytest.mark.parametrize(
    ("mode", "without"),
    [("root", ONLY["namespaces"]), ("user", ONLY["namespaces"]), ("none", ONLY["seccomp"])],
    ids=["namespaces-root", "namespaces-user", "seccomp"],
)
def test_network_is_out_of_reach(mode, without):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"secret"), daemon=True).start()
        assert said(CONNECTS.format(port), mode, without) in ("OSError", "PermissionError", "ConnectionRefusedError")
        with socket.create_connection(("127.0.0.1", port)) as connection:  # and it is there
            assert connection.recv(10) == b"secret"


@pytest.mark.parametrize(
    ("mode", "without"),
    [("root", ONLY["namespaces"]), ("user", ONLY["namespaces"]), ("none", ONLY["seccomp"])],
    ids=["namespaces-root", "namespaces-user", "seccomp"],
)
def test_other_processes_are_out_of_reach(mode, without):
    with subprocess.Popen(["sleep", "60"], user=None) as other:
        assert said(SIGNALS.format(other.pid), mode, without) in ("ProcessLookupError", "PermissionError")
        assert other.poll() is None
        other.kill()


def test_seccomp_leaves_threads_and_takes_forks():
    assert said(FORKS, None, ONLY["seccomp"]) == "PermissionError"
    threads = "import threading\nt = threading.Thread(target=print, args=('here',))\nt.start()\nt.join()\n"
    assert said(threads, None, ()) == "here"


@pytest.mark.parametrize("call", [101, 165, 272, 298, 310, 319, 321, 323, 425, 435])
def test_seccomp_refuses_what_no_program_needs(call):
    # ptrace, mount, unshare, perf_event_open, process_vm_readv, memfd_create, bpf, userfaultfd, io_uring_setup, clone3
    program = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.syscall({call}, 0, 0, 0, 0, 0), ctypes.get_errno())\n"
    assert said(program, None, ()) in ("-1 1", "-1 38")


def test_what_protects():
    assert unshielded(list(LAYERS)) == []
    assert unshielded(["rlimits"]) == ["files", "network", "process_count", "processes"]
    assert unshielded(["rlimits", "seccomp"]) == ["files", "processes"]
    assert unshielded(["rlimits", "seccomp", "landlock"]) == []
    assert unshielded(["rlimits", "namespaces"]) == ["process_count"]
    found = probe()
    assert found["missing"] == unshielded(found["layers"])
    assert found["mode"] in MODES


def test_a_missing_protection_is_refused_unless_allowed():
    ours = Executor(mode="none", without=("landlock",))
    with ours, pytest.raises(Unprotected) as refusal:
        ours.run_tests(DOUBLE, NUMBERS, LIMITS)
    assert refusal.value.missing == ["files", "processes"]
    assert "landlock: switched off" in str(refusal.value)
    with Executor(["files", "processes"], mode="none", without=("landlock",)) as ours:
        assert ours.run_tests(DOUBLE, NUMBERS, LIMITS).passed


def test_the_verifier_stops_where_a_protection_is_missing(monkeypatch):
    monkeypatch.setattr("thoughtline.verdicts.executor.unshielded", lambda layers: ["network"])
    asked = question("double", tests=NUMBERS, domain="code")
    answer = trace(asked, f"```python\n{DOUBLE}```")
    with verifier_for({"verifier": {"verifier": "code"}}) as verifier, pytest.raises(UserError, match="unprotected"):
        verifier.verify(asked, answer)
    with verifier_for({"verifier": {"verifier": "code", "unprotected": ["network"]}}) as verifier:
        assert verifier.verify(asked, answer).status == "correct"


LEAVES = {
    "counter_in_a_module": "import math\nmath.n = getattr(math, 'n', 0) + 1\nprint(2 * int(input()) if math.n == 1 else 'no')\n",
    "patched_builtin": "n = int(input())\nprint(2 * n)\nimport builtins\nbuiltins.int = str\n",
    "file": "import os\nprint(2 * int(input()) if not os.listdir('.') else 'no')\nopen('left', 'w').close()\n",
    "environment": "import os\nprint(2 * int(input()) if 'LEFT' not in os.environ else 'no')\nos.environ['LEFT'] = '1'\n",
    "folder": "import os\nprint(2 * int(input()))\nos.mkdir('x')\nos.chdir('x')\n",
    "daemon_thread": "import threading, time\nprint(2 * int(input()))\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n",
    "closed_streams": "import sys\nprint(2 * int(input()))\nsys.stdin.close()\nsys.stdout.close()\n",
    "closed_descriptors": "import os\nprint(2 * int(input()), flush=True)\nos.closerange(0, 200)\n",
    "replaced_stdout": "import io, sys\nn = int(input())\nprint(2 * n)\nsys.stdout.flush()\nsys.stdout = io.StringIO()\n",
    "recursion_limit": "import sys\nassert sys.getrecursionlimit() < 2000\nsys.setrecursionlimit(50000)\nprint(2 * int(input()))\n",
    "exits": "import sys\nprint(2 * int(input()))\nsys.exit(0)\n",
    "exits_at_once": "import os\nprint(2 * int(input()), flush=True)\nos._exit(0)\n",
    "random": "import random\nassert abs(random.random() - FIRST) < 1e-12\nprint(2 * int(input()))\n",
    "unflushed_file": "f = open(1, 'w', closefd=False)\nf.write(str(2 * int(input())))\n",
    "main_module": "import __main__\nassert not hasattr(__main__, 'x')\nx = 1\nprint(2 * int(__main__.__dict__['__builtins__'].input()))\n",
}  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
def test_what_a_test_leaves_behind_reaches_no_other(name):
    import random

    from thoughtline.verdicts.jail.program import SEED

    random.seed(SEED)
    program = LEAVES[name].replace("FIRST", repr(random.random()))
    if name == "main_module":
        program = program.replace("__main__.__dict__['__builtins__'].input()", "input()")
    with Executor() as ours:
        outcome = ours.run_tests(program, NUMBERS, LIMITS)
    assert outcome.passed, outcome


@pytest.mark.parametrize("alone", [False, True])
def test_one_child_or_many_give_the_same_evidence(alone):
    programs = {
        "print(2 * int(input()))": "",
        "n = int(input())\nprint(2 * n if n != 17 else 0)": "wrong_answer",
        "n = int(input())\nprint(2 * n)\nassert n != 17": "runtime_error",
        "n = int(input())\nprint(2 * n)\nwhile n == 3: pass": "time_limit",
        "n = int(input())\nprint(2 * n)\nx = [0] * (10 ** 9 if n == 5 else 1)": "memory_limit",
        "n = int(input())\nprint(2 * n)\nif n == 5: print('x' * (3 << 20))": "output_limit",
    }
    first = {"wrong_answer": 17, "runtime_error": 17, "time_limit": 3, "memory_limit": 5, "output_limit": 5}
    with Executor(alone=alone) as ours:
        for program, reason in programs.items():
            outcome = ours.run_tests(program, NUMBERS, LIMITS)
            assert (outcome.reason, outcome.evidence.get("test")) == (reason, first.get(reason)), outcome


def test_cpu_time_decides_on_a_loaded_machine():
    # Each in a session of its own, as the jail is: Linux shares the cores between sessions first (autogroups).
    command = [sys.executable, "-c", "while True: pass"]
    busy = [subprocess.Popen(command, start_new_session=True) for _ in range(4 * os.cpu_count())]
    try:
        work = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n" + DOUBLE
        few = {key: rows[:3] for key, rows in NUMBERS.items()}
        with Executor() as ours:
            assert ours.run_tests(work, few, Limits(1)).passed
            started = time.monotonic()
            outcome = ours.run_tests("while True: pass", few, Limits(1))
            assert outcome.reason == "time_limit" and "waited" not in outcome.evidence
            assert time.monotonic() - started > 1.5  # so it was loaded
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_who_sleeps_for_ever_is_not_waited_for():
    started = time.monotonic()
    with Executor() as ours:
        outcome = ours.run_tests("import time\ntime.sleep(10000)", NUMBERS, Limits(1000))
    assert (outcome.reason, outcome.evidence["waited"]) == ("time_limit", True)
    if best_mode()[0] != "none":
        assert time.monotonic() - started < 10 * server.IDLE_STEP * server.IDLE_STEPS


def test_tens_of_megabytes():
    text = "\n".join(str(n) * 500 for n in range(20_000)) + "\n"  # 48 MB
    tests = {"inputs": [text], "outputs": [text]}
    with Executor() as ours:
        copy = "import sys\nsys.stdout.write(sys.stdin.read())\n"
        assert ours.run_tests(copy, tests, Limits(30, 1024, 64)).passed
        wrong = ours.run_tests(copy + "print('x')\n", tests, Limits(30, 1024, 64))
        assert (wrong.reason, wrong.evidence["line"], wrong.evidence["expected"]) == ("wrong_answer", 20_001, "")


def test_nothing_of_a_jail_stays_behind(tmp_path):
    def groups():
        return sorted(path for path in ROOT.rglob(f"thoughtline-{os.getpid()}-*")) if ROOT.exists() else []

    before, descriptors = groups(), os.listdir("/proc/self/fd")
    with Executor() as ours:
        assert ours.run_tests(DOUBLE, NUMBERS, LIMITS).passed
        assert ours.run_tests("import numpy\n" + DOUBLE, NUMBERS, Limits()).passed
        jails = [jail._process.pid for jail in ours._jails.values()]
        assert len(jails) == 2
    assert groups() == before
    assert os.listdir("/proc/self/fd") == descriptors
    assert not any(Path(f"/proc/{process}").exists() for process in jails)


ASSERTS = {"asserts": ["assert f(2) == 4", "assert f([1, 2]) == [1, 2, 1, 2]", "assert abs(f(0.1) - 0.2) < 1e-9"]}
ALWAYS = (
    "class A:\n    def __eq__(self, other): return True\n    __hash__ = None\n    def __abs__(self): return 0\n"
    "    def __sub__(self, o): return 0\n    def __lt__(self, o): return True\n"
)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("def f(x): return x * 2\n", ""),
        ("def f(x): return 4\n", "wrong_answer"),
        (ALWAYS + "def f(x): return A()\n", "wrong_answer"),
        (ALWAYS + "class I(int, A): pass\ndef f(x): return I(5)\n", "wrong_answer"),
        ("def f(x): return x * 2 if isinstance(x, int) else None\n", "wrong_answer"),
        ("abs = isinstance = lambda *a: 0\nAssertionError = None\ndef f(x): return x * 2 if x != 0.1 else 7\n", "wrong_answer"),
        ("import builtins\nbuiltins.abs = lambda x: 0\ndef f(x): return x * 2 if x != 0.1 else 7\n", "wrong_answer"),
        ("def f(x): raise AssertionError\n", "runtime_error"),
        ("def f(x): raise SystemExit(0)\n", "runtime_error"),
        ("import os\ndef f(x): os._exit(0)\n", "runtime_error"),
        ("def g(x): return x * 2\n", "runtime_error"),
        ("def f(x):\n    while True: pass\n", "time_limit"),
        ("def f(x): return 'x' * (3 << 20)\n", "wrong_answer"),
        ("def f(x): return [0] * 10 ** 9\n", "memory_limit"),
        ("def f(x)\n", "compile_error"),
        ("raise KeyError('k')\n", "runtime_error"),
        ("import sys\ndef f(x):\n    for frame in sys._current_frames().values():\n        while frame:\n"
         "            if 'namespace' in frame.f_locals: frame.f_locals['namespace'].clear()\n            frame = frame.f_back\n"
         "    return 4\n", "wrong_answer"),
        ("import os\nfor n in range(3, 60):\n    try: os.write(n, b'\\x0d\\0\\0\\0{\"passed\":1}  ')\n    except OSError: pass\n"
         "def f(x): return 4\n", "wrong_answer"),
        ("x = None\ndef f(y):\n    global x\n    x = y * 2\n    return x\n", ""),
    ],
)  # fmt: skip
def test_asserts(program, reason):
    with Executor() as ours:
        outcome = ours.run_tests(program, ASSERTS, LIMITS)
    allowed = {"wrong_answer": {"wrong_answer", "runtime_error", "output_limit"}}.get(reason, {reason})
    assert outcome.reason in allowed, outcome


def test_asserts_reach_what_a_program_defines():
    program = (
        "import math\nfrom collections import OrderedDict\n"
        "class Node:\n    def __init__(self, value): self.value, self.next = value, None\n"
        "def total(node):\n    n = 0\n    while node: n, node = n + node.value, node.next\n    return n\n"
        "def sort(values): values.sort()\n"
        "def pairs(): return zip('ab', (1, 2))\n"
        "def keep(values, kind): return [v for v in values if isinstance(v, kind)]\n"
        "def fails(): raise ValueError('no')\n"
        "def huge(): return 10 ** 5000\n"
        "def odd(): return {1: (2, {3}), 'x': b'y', None: 1j, 'o': OrderedDict(a=1)}\n"
    )
    tests = {
        "setup": "values = [3, 1, 2]\n",
        "asserts": [
            "head = Node(1)\nhead.next = Node(5)\nassert total(head) == 6 and head.next.value == 5",
            "sort(values)\nassert values == [1, 2, 3]",
            "assert list(pairs()) == [('a', 1), ('b', 2)]",
            "assert keep([1, 'a', 2.0], int) == [1]",
            "try:\n    fails()\nexcept ValueError as error:\n    assert 'no' in str(error)\nelse:\n    assert False",
            "assert huge() == 10 ** 5000",
            "assert odd() == {1: (2, {3}), 'x': b'y', None: 1j, 'o': {'a': 1}}",
            "assert math.isclose(math.pi, 3.14159, rel_tol=1e-3)",
            "assert second(1) == 2",
        ],
        "preamble": "def helper(x): return x + 1\n",
        "names": {"second": "helper"},
    }
    with Executor() as ours:
        assert ours.run_tests(program, tests, LIMITS).passed
        changed = {**tests, "asserts": [*tests["asserts"][:5], "assert huge() == 10 ** 5000 + 1"]}
        outcome = ours.run_tests(program, changed, LIMITS)
        assert (outcome.reason, outcome.evidence["test"]) == ("wrong_answer", 5)
        assert outcome.evidence["line"] == "assert huge() == 10 ** 5000 + 1"


def test_asserts_compare_values_of_the_standard_library():
    made = (
        "range(3)", "collections.deque([1, 2], 5)", "datetime.date(2020, 2, 29)", "datetime.datetime(2020, 2, 29, 1, 2, 3, 4)",
        "datetime.timedelta(1, 2, 3)", "decimal.Decimal('1.50')", "fractions.Fraction(1, 3)",
    )  # fmt: skip
    program = "import collections, datetime, decimal, fractions\n" + "".join(
        f"def f{number}(v=None): return {text} if v is None else v == {text}\n" for number, text in enumerate(made)
    )
    asserts = [f"assert f{number}() == {text} and f{number}({text}) is True" for number, text in enumerate(made)]
    with Executor() as ours:
        outcome = ours.run_tests(program, {"asserts": asserts}, LIMITS)
        assert outcome.passed, outcome
        wrong = {"asserts": ["assert f4() == datetime.timedelta(1, 2, 4)"]}
        assert ours.run_tests(program, wrong, LIMITS).reason == "wrong_answer"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [0, 0o300, 0o500])
def test_a_locked_folder_reaches_no_other(mode, bits):
    ours, _ = executor(mode)
    with ours:
        lock = f"import os\nos.makedirs('a/b')\ntry: os.chmod('.', {bits})\nexcept PermissionError: pass\n"
        assert ours.run_tests(lock + DOUBLE, NUMBERS, LIMITS).passed
        writes = "import os\nassert os.listdir('.') == []\nopen('x', 'w').close()\n"
        assert ours.run_tests(writes + DOUBLE, NUMBERS, LIMITS).passed


def test_a_server_that_has_ended_leaves_no_descriptors():
    with Executor() as ours:
        assert ours.run_tests(DOUBLE, NUMBERS, LIMITS).passed
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(2):
            (jail,) = ours._jails.values()
            process = jail._process
            process.kill()
            process.wait()
            with pytest.raises(SandboxError):
                ours.run_tests(DOUBLE, NUMBERS, LIMITS)
            assert ours.run_tests(DOUBLE, NUMBERS, LIMITS).passed
        assert len(os.listdir("/proc/self/fd")) == before


def test_tests_that_cannot_be_run_say_nothing_of_the_program():
    with Executor() as ours, pytest.raises(SandboxError, match="cannot be sent"):
        ours.run_tests("def f(g): return 4\n", {"asserts": ["assert f(lambda x: x) == 4"]}, LIMITS)


def test_the_server_answers_json_whatever_a_program_writes(tmp_path):
    programs = [
        "import os\nfor n in range(3, 99):\n    try: os.write(n, TEXT)\n    except OSError: pass\n" + DOUBLE
    ] * 3
    texts = [b"[0]", json.dumps([1 << 60, -5, "x", None]).encode(), b"[" * 50000]
    with Executor() as ours:
        for program, text in zip(programs, texts, strict=True):
            outcome = ours.run_tests(program.replace("TEXT", repr(text)), NUMBERS, Limits(1, 512, 2, 20))
            assert outcome.reason in ("", "wrong_answer", "runtime_error", "time_limit"), outcome
        assert ours.run_tests(DOUBLE, NUMBERS, LIMITS).passed


@pytest.mark.parametrize(
    ("name", "program", "reason"),
    [
        ("gcd", "x = 1\n", "runtime_error"),
        ("len", "x = 1\n", "runtime_error"),
        ("lcm", "class Solution:\n    pass\n", "runtime_error"),
        ("gcd", "def gcd(a, b):\n    return a if b == 0 else gcd(b, a % b)\n", ""),
        ("gcd", "from math import gcd as g\nclass Solution:\n    def gcd(self, a, b): return g(a, b)\n", ""),
    ],
)
def test_a_function_of_the_prelude_is_not_the_programs(name, program, reason):
    tests = {"inputs": [[4, 6]], "outputs": [2], "fn_name": name}
    with Executor() as ours:
        assert ours.run_tests(program, tests, LIMITS, prelude=PRELUDE).reason == reason


def test_a_verifier_may_be_shared_by_threads():
    asked = {"tests": NUMBERS, "answer": None}
    with verifier_for({"verifier": {"verifier": "code"}}) as verifier, ThreadPoolExecutor(4) as pool:
        answers = [{"response": f"```python\n{DOUBLE}```"}, {"response": "```python\nprint(7)\n```"}] * 20
        found = list(pool.map(lambda answer: verifier.verify(asked, answer).status, answers))
    assert found == ["correct", "incorrect"] * 20
