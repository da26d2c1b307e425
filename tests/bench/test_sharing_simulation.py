"""The simulation keeps every trace, its clock is that of its formula, and the policies differ as the documents say."""

from collections import deque

import numpy as np
import pytest

from bench.decoding import BENCHMARKS, LONGEST, PROMPT, SPEEDS, Engine, Speed, Traces, evaluation, lengths
from bench.sharing import GOAL, POLICIES, Job, Policy, compare, simulate

SPEED = Speed(fixed=0.01, per_sequence=0.001, per_token=1e-6, start=60.0)


def traces_of(*tokens: int) -> Traces:
    zeros = np.zeros(len(tokens), int)
    return Traces(np.array(tokens), np.array(tokens, float), zeros, zeros, zeros, zeros)


def test_the_published_distribution():
    drawn = lengths(np.random.default_rng(0).standard_normal(100_000))
    assert np.mean(drawn) == pytest.approx(7030, rel=0.01)
    assert np.median(drawn) == pytest.approx(5517, rel=0.02)
    assert np.quantile(drawn, 0.99) == pytest.approx(22191, rel=0.03)
    assert np.mean(drawn > 16384) == pytest.approx(0.0805, abs=0.005)
    assert drawn.max() <= 51504


def test_an_evaluation_has_all_traces_and_is_the_same_again():
    traces = evaluation(3, 8, 0.6)
    assert len(traces.tokens) == sum(each.questions * each.samples for each in BENCHMARKS)
    assert traces.tokens.max() == LONGEST and set(traces.shard) == set(range(8))
    assert np.array_equal(traces.tokens, evaluation(3, 8, 0.6).tokens)
    assert not np.array_equal(traces.tokens, evaluation(4, 8, 0.6).tokens)
    told = np.corrcoef(np.log(evaluation(3, 8, 0.9).expected), np.log(evaluation(3, 8, 0.9).tokens))[0, 1]
    assert told > np.corrcoef(np.log(traces.expected), np.log(traces.tokens))[0, 1] > 0.5


def test_the_clock_of_two_traces():
    engine = Engine(SPEED)
    engine.add([0, 1], np.array([10, 30]))
    first = sum(0.01 + 0.001 * 2 + 1e-6 * 2 * (PROMPT + step) for step in range(10))
    assert engine.until_next() == pytest.approx(first)
    assert list(engine.advance()) == [0]
    second = sum(0.01 + 0.001 + 1e-6 * (PROMPT + step) for step in range(10, 30))
    assert engine.until_next() == pytest.approx(second)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_each_trace_is_answered_once(policy):
    traces = evaluation(1, 8, 0.6)
    jobs = policy.jobs(traces, 8)
    assert sorted(row for job in jobs for each in job.passes for row in each) == list(range(len(traces.tokens)))
    outcome = simulate(traces, jobs, 8, policy, SPEEDS["fitted"])
    assert not np.isnan(outcome.done).any() and outcome.done.max() == outcome.ends.max()
    assert not any(queue for job in jobs for queue in job.passes)


def test_an_idle_engine_helps():
    traces = traces_of(*[1000] * 20)
    alone = Policy("", lambda traces, shards: [Job([deque(range(19))]), Job([deque([19])])], concurrency=1)
    helped = Policy("", alone.jobs, helps=True, queued=True, concurrency=1)
    slow, fast = (simulate(traces, each.jobs(traces, 2), 2, each, SPEED) for each in (alone, helped))
    assert np.ptp(fast.ends) == pytest.approx(0)
    assert fast.ends.max() - SPEED.start == pytest.approx((slow.ends.max() - SPEED.start) * 10 / 19)


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_policy_in_use_meets_the_goal(speed):
    figures = compare(SPEEDS[speed], (POLICIES[1], POLICIES[2], POLICIES[-1]), seeds=8, shards=8, known=0.6)
    shards, jobs, ours = figures.values()
    assert ours["slowest_to_mean"]["median"] < GOAL < shards["slowest_to_mean"]["median"]
    assert ours["slowest"]["median"] < shards["slowest"]["median"] < jobs["slowest"]["median"]
