"""Jobs on threads whose results are taken as they come, and verifiers that many threads share.

Leaving early never waits for a job in hand.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

POLL = 0.5
"""Seconds between looks at the deadline."""


def run_jobs(
    jobs: Iterable[Any],
    make_worker: Callable[[], Any],
    work: Callable[[Any, Any], Any],
    threads: int,
    check: Callable[[], None],
) -> Iterator[list[Any]]:
    """Yield batches of results, in the order in which they are finished.

    Args:
        make_worker: called once in each thread; its result is passed to `work` and closed with `close()`.
        work: (worker, job) -> result.
        check: called every POLL seconds; what it raises ends the work.

    Raises:
        BaseException: the first that a worker or `check` raised; workers are closed, jobs in hand are dropped.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    count = 0
    for job in jobs:
        waiting.put(job)
        count += 1
    done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    workers: list[Any] = []
    stopped = threading.Event()

    def serve() -> None:
        try:
            worker = make_worker()
            workers.append(worker)
            while not stopped.is_set():
                done.put((work(worker, waiting.get_nowait()), None))
        except queue.Empty:
            pass
        except BaseException as error:
            done.put((None, error))

    # Daemon threads: a request to a judge may take half an hour, and must not hold up an exit.
    for _ in range(min(threads, count)):
        threading.Thread(target=serve, daemon=True).start()
    try:
        while count:
            check()
            batch = []
            try:
                batch.append(done.get(timeout=POLL))
                while True:
                    batch.append(done.get_nowait())
            except queue.Empty:
                pass
            results = [result for result, error in batch if error is None]
            count -= len(results)
            if results:
                yield results
            for _, error in batch:
                if error is not None:
                    raise error
    finally:
        stopped.set()
        for worker in workers:
            worker.close()


class Lending:
    """Verifiers lent to many threads: those who wait for a judge are many more than there are cores to parse with.

    `enter` and `leave` count those who may borrow; the last one to leave ends the verifiers.

    Args:
        size: how many verifiers there are at most; default one a core.
    """

    def __init__(self, size: int | None = None) -> None:
        self._turns = threading.BoundedSemaphore(size or len(os.sched_getaffinity(0)))
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._all: list[Any] = []
        self._members = 0

    def enter(self) -> None:
        """One more may borrow."""
        with self._lock:
            self._members += 1

    def leave(self) -> None:
        """One less; with the last one all verifiers are closed, those in hand too."""
        with self._lock:
            self._members -= 1
            ended, self._all, self._idle = ([], self._all, self._idle) if self._members else (self._all, [], [])
        for each in ended:
            each.close()

    def use(self, make: Callable[[], Any], work: Callable[[Any], Any]) -> Any:
        """`work` with a verifier of its own for as long as it takes; `make` makes one where none is idle.

        Raises:
            RuntimeError: all have left.
        """
        with self._turns:
            with self._lock:
                if not self._members:
                    raise RuntimeError("the verifiers are closed")
                if self._idle:
                    verifier = self._idle.pop()
                else:
                    verifier = make()
                    self._all.append(verifier)
            try:
                return work(verifier)
            finally:
                with self._lock:
                    if verifier in self._all:
                        self._idle.append(verifier)
