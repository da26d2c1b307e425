"""Jobs on threads whose results are taken as they come; leaving early never waits for a job in hand."""

from __future__ import annotations

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
