"""Programs of the suite in other orders, with more workers, in batches, beside hostile ones: no verdict changes."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program_suite import read_cases
from thoughtline.common.rows import QUESTIONS, TRACES, VERDICTS, read_rows
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.executor import Executor, Limits, probe
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace

MEMORY_MB = 512
LIMITS = Limits(2, MEMORY_MB, 2)
CODE = complete({"verifier": {"verifier": "code", "seconds": 2, "memory_mb": 512, "output_mb": 2}})
SLOW = {"deep_folders", "many_threads", "much_of_the_library", "binary_output_of_some_length"}
"""Left out: they take long, or print what chance gives."""
BAIT = ("secret", "folder", "mark", "package", "port", "abstract", "ipc_key", "udp_port")
"""Names for what watched_host.py lays out."""
TIMES = 20
VICTIMS = (
    "input", "for_line_in_stdin", "leaves_patches", "off_by_one_at_1e17", "call_raises", "tabs_and_blanks", "solution_class",
)  # fmt: skip
NEIGHBOURS = (
    "patches_every_module", "closes_every_descriptor", "truncates_every_descriptor", "shuts_every_socket", "stdout_flood",
    "gradual_memory", "kills_all", "signals_everybody", "fork_bomb", "locked_folders", "os_exit", "segfault", "forks", "survivor",
    "leaves_less", "many_files", "fills_the_disk", "writes_records_to_every_descriptor", "changes_the_value_of_integers",
)  # fmt: skip


def isolated():
    if missing := probe()["missing"]:
        pytest.skip(f"the sandbox has no protection of {', '.join(missing)} here")


def quick_cases():
    """Cases that need nothing of the machine, fit into a response, end quickly, and have one possible verdict."""
    for case in read_cases():
        tests = case.tests({})
        text = case.program + str(tests)
        if (
            not case.program.strip()
            or case.kind == "time"
            or case.pending
            or case.name in SLOW
            or len(case.verdicts) > 1
            or case.limits.memory_mb != MEMORY_MB
            or case.limits.seconds > LIMITS.seconds
        ):
            continue
        if len(text) < 20_000 and not any(
            part in text for part in ("```", "\ud800", "\0", *("{" + name for name in BAIT))
        ):
            yield case


def rows_of(cases):
    questions = [question(case.name, tests=case.tests({}), domain="code") for case in cases]
    return questions, [
        trace(asked, f"```python\n{case.program}\n```") for asked, case in zip(questions, cases, strict=True)
    ]


def judged(folder, name, questions, traces, workers):
    """(bytes of the file of verdicts, its rows); questions and traces stay in the order that they come in."""
    (folder / name).mkdir()
    paths = folder / name / "questions.parquet", folder / name / "traces.parquet"
    for path, rows, schema in zip(paths, (questions, traces), (QUESTIONS, TRACES), strict=True):
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    out = folder / name / "verdicts.parquet"
    verify_traces(CODE, *paths, out, folder / name / "work", workers=workers)
    return out.read_bytes(), read_rows(out, VERDICTS)


def test_order_workers_and_batches_change_no_verdict(tmp_path):
    isolated()
    cases = list(quick_cases())[::5]
    assert len(cases) >= 50
    questions, traces = rows_of(cases)
    first, rows = judged(tmp_path, "first", questions, traces, 1)
    found = {row["question_id"]: row for row in rows}
    for case, asked in zip(cases, questions, strict=True):
        row = found[asked["question_id"]]
        assert (row["status"], row["reason"]) == ("incorrect" if case.verdicts[0] else "correct", case.verdicts[0]), (
            case.name,
            row,
        )
    for number, workers in enumerate((2, 32)):
        order = random.Random(number)
        order.shuffle(questions)
        order.shuffle(traces)
        assert judged(tmp_path, f"again{number}", questions, traces, workers)[0] == first
    half = len(traces) // 2
    batches = [
        judged(tmp_path, f"batch{n}", questions, part, 2)[1] for n, part in enumerate((traces[:half], traces[half:]))
    ]
    assert sorted(chain(*batches), key=str) == sorted(rows, key=str)


def test_hostile_neighbours_change_no_verdict_and_no_evidence():
    isolated()
    cases = {case.name: case for case in read_cases()}
    values = dict.fromkeys(("folder", "secret_file", "mark"), "/nowhere")
    jobs = [cases[name] for name in VICTIMS] * TIMES + [cases[name] for name in NEIGHBOURS] * 2
    random.Random(1).shuffle(jobs)
    shares = [jobs[number::3] for number in range(3)]

    def judge(share):
        with Executor() as executor:
            return [(case, executor.run_tests(case.source(values), case.tests(values), case.limits)) for case in share]

    with ThreadPoolExecutor(3) as pool:
        outcomes = list(chain(*pool.map(judge, shares)))
    for name in VICTIMS:
        seen = [(outcome.reason, str(outcome.evidence)) for case, outcome in outcomes if case.name == name]
        assert len(seen) == TIMES
        assert len(set(seen)) == 1 and seen[0][0] in cases[name].verdicts, set(seen)


def test_nothing_of_one_program_is_in_the_memory_of_the_next():
    isolated()
    mark = f"kept-{random.Random().getrandbits(64):016x}"
    search = next(case.program for case in read_cases() if case.name == "looks_in_its_memory").replace(
        "hidden-", "kept-"
    )
    with Executor() as executor:
        keep = f"x = '{mark}' * 1000\nimport sys\nsys.modules['kept'] = x\nprint(input())\n"
        assert executor.run_tests(keep, {"inputs": [f"{mark}\n"], "outputs": [f"{mark}\n"]}, LIMITS).passed
        outcome = executor.run_tests(search, {"inputs": [""], "outputs": ["nothing\n"]}, Limits(10))
    assert outcome.reason in ("", "runtime_error") and mark not in str(outcome.evidence), outcome
