"""Jobs that help each other: the shards are those of jobs alone, whoever helps, dies or comes back."""

import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dummy_service import Service, command, settings_for, until, write_questions
from thoughtline.common.canonical import digest
from thoughtline.common.deadline import Deadline
from thoughtline.common.journal import Journal
from thoughtline.common.rows import QUESTIONS, TRACES, read_rows, write_rows
from thoughtline.traces.claims import Claims, Crew
from thoughtline.traces.expected import Expected
from thoughtline.traces.generate import Options, generate
from thoughtline.traces.helping import Tail
from thoughtline.traces.requests import made_by, requests_of, revision_of

SECONDS = 0.2


class Run:
    """Shards of one answerer, and jobs that make them."""

    def __init__(self, folder: Path, settings: dict, sizes: list[int]) -> None:
        self.folder, self.settings = folder, settings
        first = 0
        for shard, size in enumerate(sizes):
            write_questions(self.path("questions", shard), size, first)
            first += size
        self.plan = folder / "work" / "sharing" / "plan.json"
        self.plan.parent.mkdir(parents=True)
        self.write_plan({"set": settings}, [("set", shard) for shard in range(len(sizes))])

    def path(self, kind: str, shard: int) -> Path:
        path = self.folder / kind / "answerer" / "set" / f"{shard:04d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def work(self, shard: int) -> Path:
        return self.folder / "work" / "set" / f"{shard:04d}"

    def write_plan(self, settings: dict[str, dict], shards: list[tuple[str, int]]) -> None:
        places = [
            {
                "set": name,
                "questions": str(self.path("questions", shard)),
                "out": str(self.path("traces", shard)),
                "work": str(self.work(shard)),
            }
            for name, shard in shards
        ]
        self.plan.write_text(json.dumps({"settings": settings, "shards": places}))

    def words(self, shard: int, *more: str) -> list[str]:
        share = ("--sharing", str(self.plan), "--sharing-seconds", str(SECONDS), "--retries", "0")
        places = (self.path("questions", shard), self.path("traces", shard), self.work(shard))
        return command(self.settings, *places, *share, *more)

    def start(self, shard: int, *more: str) -> subprocess.Popen:
        return subprocess.Popen(self.words(shard, *more), stderr=subprocess.PIPE, text=True)

    def make(self, shard: int, concurrency: int = 64) -> dict:
        """Run a job in this process; returns what its sidecar would say."""
        options = Options(concurrency=concurrency, retries=0, sharing=self.plan, sharing_seconds=SECONDS)
        places = (self.path("questions", shard), self.path("traces", shard), self.work(shard))
        return generate(self.settings, None, *places, options, Deadline())[1]

    def alone(self, shard: int) -> bytes:
        """The shard as a job alone makes it."""
        out, work = self.folder / "alone" / f"{shard:04d}.parquet", self.folder / "alone" / f"{shard}.work"
        generate(self.settings, None, self.path("questions", shard), out, work, Options(), Deadline())
        return out.read_bytes()

    def check(self, *shards: int) -> None:
        """The shards are there, byte by byte, and nothing is left of those who helped."""
        for shard in shards:
            assert self.path("traces", shard).read_bytes() == self.alone(shard)
            left = [path.name for path in self.work(shard).iterdir()]
            assert not [name for name in left if name.startswith("claims")]
            assert not list((self.work(shard) / "helped").glob("*"))
        assert not list((self.plan.parent / "alive").iterdir())

    def helped(self, shard: int) -> int:
        """Rows that helpers have finished."""
        return sum(len(path.read_bytes().splitlines()) - 1 for path in (self.work(shard) / "helped").glob("*"))


def end(process: subprocess.Popen, status: int = 0) -> str:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    return errors


@pytest.fixture
def run(service: Service, tmp_path: Path) -> Run:
    return Run(tmp_path, settings_for(service.url), [1, 12])


def test_a_job_with_idle_slots_helps_one_that_runs(run, service):
    service.delay = 0.2
    with ThreadPoolExecutor() as pool:
        owner, helper = pool.submit(run.make, 1, concurrency=1), pool.submit(run.make, 0, concurrency=4)
        assert owner.result()["rows_by_others"] == helper.result()["rows_for_others"] > 6
    assert len(service.bodies) == 26, "each row was asked for once"
    service.delay = 0
    run.check(0, 1)


def test_shards_that_wait_in_the_queue_are_answered_too_and_then_need_no_request(run, service):
    assert run.make(0)["rows_for_others"] == 24
    assert len(service.bodies) == 26 and not run.path("traces", 1).exists()
    details = run.make(1)
    assert details["rows_by_others"] == details["rows_reused"] == 24 and len(service.bodies) == 26
    run.check(0, 1)


def test_a_killed_helper_costs_its_rows_in_flight_and_no_more(run, service):
    service.delay = 0.3
    helper = run.start(0, "--concurrency", "4")
    until(lambda: run.helped(1) >= 4)
    helper.kill()
    helper.wait()
    kept, asked = run.helped(1), len(service.bodies)
    journal = next((run.work(1) / "helped").glob("*"))
    with open(journal, "ab") as stream:  # what a kill in the middle of a write leaves
        stream.write(b'{"trace_id": "torn')
    service.delay = 0
    assert run.make(1)["rows_by_others"] == kept
    assert len(service.bodies) == asked + 24 - kept
    run.make(0)
    run.check(0, 1)


def test_a_killed_owner_is_helped_on_and_its_next_run_goes_on_at_once(run, service):
    service.delay = 0.3
    owner = run.start(1, "--concurrency", "2")
    until(lambda: len(service.bodies) >= 5)
    owner.kill()
    owner.wait()
    service.delay = 0
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(run.make, (1, 0)))
    run.check(0, 1)


def test_killed_owner_and_killed_helper_in_turns_lose_and_double_nothing(run, service):
    service.delay = 0.1
    for _ in range(2):
        jobs = [run.start(shard, "--concurrency", "2") for shard in (0, 1)]
        asked = len(service.bodies)
        until(lambda asked=asked: len(service.bodies) > asked + 8)
        for job in jobs:
            job.kill()
            job.wait()
    service.delay = 0
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(run.make, (1, 0)))
    run.check(0, 1)
    rows = read_rows(run.path("traces", 1), TRACES)
    assert len({row["trace_id"] for row in rows}) == len(rows) == 24


def test_out_of_time_frees_what_a_job_holds(run, service):
    service.delay = 2
    owner = run.start(1, "--concurrency", "8")
    until(lambda: len(service.bodies) == 8)
    owner.send_signal(signal.SIGTERM)
    assert "run the same command again" in end(owner, 75)
    assert not run.path("traces", 1).exists()
    service.delay = 0
    assert not list((run.plan.parent / "alive").iterdir())
    run.make(1)
    run.make(0)
    run.check(0, 1)


def test_a_deadline_while_helping_is_no_failure(run, service):
    service.delay = 0.4
    helper = run.start(0, "--concurrency", "2")
    until(lambda: run.helped(1) >= 2)
    helper.send_signal(signal.SIGTERM)
    end(helper, 0)
    assert run.path("traces", 0).exists()
    service.delay = 0
    run.make(1)
    run.check(0, 1)


def test_what_a_helper_cannot_answer_the_owner_tries_itself(run, service):
    service.faults = lambda body, number: (
        ("status", 500, {}, "bug") if "9 + 1" in body["messages"][-1]["content"] else None
    )
    assert run.make(0)["rows_for_others"] == 22
    service.faults = lambda body, number: None
    run.make(1)
    assert {row["status"] for row in read_rows(run.path("traces", 1), TRACES)} == {"finished"}
    run.check(0, 1)


def test_other_engines_and_other_settings_are_left_alone(run, service):
    other = {**run.settings, "engine": {"dtype": "float32"}}
    run.write_plan({"set": run.settings, "other": other}, [("set", 0), ("other", 1)])
    assert run.make(0)["rows_for_others"] == 0 and len(service.bodies) == 2


def test_rows_of_other_code_are_not_taken(run, service):
    run.make(0)
    run.settings = {**run.settings, "code": "other"}
    asked = len(service.bodies)
    assert run.make(1)["rows_by_others"] == 0 and len(service.bodies) == asked + 24


def test_a_missing_plan_harms_nobody(run, service):
    run.plan.unlink()
    run.make(1)
    assert len(service.bodies) == 24
    run.check(1)


def test_one_claim_is_made_once_and_a_dead_ones_again_once(tmp_path):
    won = []
    barrier = threading.Barrier(8)

    def want(name: str, number: int) -> None:
        claims = Claims(tmp_path, name)
        barrier.wait()
        if claims.take("row", number):
            won.append((number, name))

    for number in (1, 2):
        threads = [threading.Thread(target=want, args=(f"job{each}", number)) for each in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [number for number, _ in won] == [1, 2]
    claims = Claims(tmp_path, "me")
    assert claims.read() == {"row": 2} and claims.holder("row", 2) == won[1][1]
    claims.give_back("row", 2)
    assert claims.read() == {"row": 1}


def test_a_job_that_gives_no_sign_is_dead(tmp_path):
    crew = Crew(tmp_path, 0.05)
    (tmp_path / "gone").touch()
    os.utime(tmp_path / "gone", (0, time.time() - 1))
    (tmp_path / "new").touch()
    assert crew.living() == sorted([crew.name, "new"])
    touched = (tmp_path / crew.name).stat().st_mtime
    until(lambda: (tmp_path / crew.name).stat().st_mtime > touched)
    crew.leave()
    assert not (tmp_path / crew.name).exists()


def test_a_tail_gives_each_whole_row_once(tmp_path):
    path = tmp_path / "j"
    tail = Tail(path, {"format": 1})
    assert tail.read() == []
    with Journal(path, "k", {"format": 1}) as journal:
        journal.append({"k": "a"})
        assert tail.read() == [{"k": "a"}]
        journal.append({"k": "b"}, {"k": "c"})
    with open(path, "ab") as stream:
        stream.write(b'{"k":"d')
    assert tail.read() == [{"k": "b"}, {"k": "c"}] and tail.read() == []
    with open(path, "ab") as stream:
        stream.write(b'"}\n')
    assert tail.read() == [{"k": "d"}]
    assert Tail(path, {"format": 2}).read() == []


def test_longest_expected_first(service, tmp_path):
    """What another model wrote on a question tells what to start first."""
    run = Run(tmp_path, settings_for(service.url, samples=1), [6])
    run.make(0)
    rows = read_rows(run.path("traces", 0), TRACES)
    for number, row in enumerate(rows):
        row["completion_tokens"] = 100 * number
    other = tmp_path / "traces" / "other" / "set" / "0000.parquet"
    other.parent.mkdir(parents=True)
    write_rows(other, rows, TRACES, ["question_id", "sample"])
    run.path("traces", 0).unlink()
    expected = Expected(run.path("traces", 0), [{**rows[0], "completion_tokens": 40}])
    assert expected.of(rows[0]["question_id"]) == 20 and expected.of(rows[5]["question_id"]) == 500
    assert expected.of("unknown") == expected.mean == (20 + 100 + 200 + 300 + 400 + 500) / 6
    service.bodies.clear()
    (run.work(0) / "traces.jsonl").unlink()
    run.make(0, concurrency=1)
    by_prompt = {json.loads(row["messages"])[-1]["content"]: row["completion_tokens"] for row in rows}
    asked = [by_prompt[body["messages"][-1]["content"]] for body in service.bodies]
    assert asked == sorted(asked, reverse=True)


def test_a_job_whose_rows_are_all_being_answered_waits_until_one_is_free(run, service):
    crew = Crew(run.plan.parent / "alive", SECONDS)
    claims = Claims(run.work(1) / f"claims-{digest(made_by(run.settings), 8)}", crew.name)
    rows = requests_of(read_rows(run.path("questions", 1), QUESTIONS), run.settings, revision_of(run.settings, None))
    assert all(claims.take(row.trace_id, 1) for row in rows)
    with ThreadPoolExecutor() as pool:
        job = pool.submit(run.make, 1)
        time.sleep(5 * SECONDS)
        assert service.bodies == [] and not job.done(), "two rows of another shard are no reason to start an engine"
        crew.leave()
        assert job.result()["rows_by_others"] == 0
    assert len(service.bodies) == 26
    run.make(0)
    run.check(0, 1)
