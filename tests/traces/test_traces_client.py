import asyncio
import json
import time

import pytest
from dummy_service import Service
from thoughtline.traces.client import ChatClient, Reply, ServiceError, body_of, retry_after

MESSAGES = [{"role": "user", "content": "Hello"}]
SAMPLING = {"temperature": 0.5, "top_p": 1.0, "top_k": None, "max_tokens": 9, "stop": []}


def ask(service: Service, count: int = 1, **options) -> list[Reply]:
    """`count` requests at once, with seeds 0, 1, ..."""
    options = {"retries": 3, "backoff": 0.01, **options}

    async def run() -> list[Reply]:
        async with ChatClient(service.url, "m", **options) as client:
            return await asyncio.gather(*(client.complete(MESSAGES, SAMPLING, seed) for seed in range(count)))

    return asyncio.run(run())


def first(fault):
    """Only the first request fails."""
    return lambda body, number: fault if number == 1 else None


def test_reply(service):
    (reply,) = ask(service)
    assert (reply.status, reply.finish_reason, reply.error) == ("finished", "stop", None)
    assert reply.reasoning.startswith("I think of ") and reply.response.startswith("The answer is ")
    assert (reply.prompt_tokens, reply.completion_tokens) == (5, 7)
    assert service.bodies == [
        {"model": "m", "messages": MESSAGES, "temperature": 0.5, "top_p": 1.0, "max_tokens": 9, "seed": 0}
    ]


def test_body_keeps_what_is_set():
    body = body_of("m", MESSAGES, {"temperature": 0.0, "top_k": 5, "stop": ["\n"]}, None)
    assert body == {"model": "m", "messages": MESSAGES, "temperature": 0.0, "top_k": 5, "stop": ["\n"]}


def test_key_is_sent(service):
    ask(service, key="secret")
    assert service.keys == ["Bearer secret"]


def test_concurrency_limit(service):
    service.delay = 0.05
    assert len(ask(service, 12, concurrency=3)) == 12
    assert service.most_running == 3


@pytest.mark.parametrize(
    "fault",
    [
        ("status", 500, {}, "oops"),
        ("status", 503, {}, '{"error": {"message": "starting"}}'),
        ("status", 429, {}, '{"error": {"message": "slow down"}}'),
        ("disconnect",),
        ("text", '{"choices": [{"mess'),
        ("text", '{"object": "error"}'),
        ("text", "[]"),
        ("text", '{"choices": [{"message": {"content": "half"}, "finish_reason": "abort"}]}'),
    ],
)
def test_passing_failures_are_tried_again_with_the_same_request(service, fault):
    (expected,) = ask(service)
    service.bodies.clear()
    service.faults = first(fault)
    assert ask(service) == [expected]
    assert len(service.bodies) == 2 and service.bodies[0] == service.bodies[1]


def test_time_out_is_tried_again(service):
    service.faults = first(("hang", 1.0))
    assert ask(service, request_seconds=0.3)[0].status == "finished"
    assert len(service.bodies) == 2


def test_retry_after_is_honoured(service):
    service.faults = first(("status", 429, {"Retry-After": "0.6"}, "{}"))
    started = time.monotonic()
    assert ask(service)[0].status == "finished"
    assert time.monotonic() - started >= 0.6


def test_retry_after_forms():
    assert retry_after("2.5") == 2.5
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after("soon") is None and retry_after(None) is None


def test_too_long_a_prompt_fails_at_once(service):
    text = '{"error": {"message": "This model\'s maximum context length is 16 tokens.", "code": 400}}'
    service.faults = lambda body, number: ("status", 400, {}, text)
    (reply,) = ask(service)
    assert (reply.status, reply.response, reply.permanent) == ("failed", None, True)
    assert reply.error == "HTTP 400: This model's maximum context length is 16 tokens."
    assert len(service.bodies) == 1


def test_content_filter_refuses(service):
    service.faults = lambda body, number: (
        "status",
        400,
        {},
        '{"error": {"code": "content_filter", "message": "filtered"}}',
    )
    assert ask(service)[0] == Reply("refused", error="HTTP 400: filtered")
    service.faults = lambda body, number: None
    service.finish_reason = "content_filter"
    (reply,) = ask(service)
    assert (reply.status, reply.finish_reason, bool(reply.error)) == ("refused", "content_filter", True)
    service.finish_reason = "stop"
    service.message = lambda body: {"content": None, "refusal": "I will not."}
    (reply,) = ask(service)
    assert (reply.status, reply.error) == ("refused", "I will not.")


def test_truncated(service):
    service.finish_reason = "length"
    service.message = lambda body: {"content": "<think>and so"}
    (reply,) = ask(service)
    assert (reply.status, reply.reasoning, reply.response) == ("truncated", "and so", "")


def test_one_request_that_always_fails_fails_alone(service):
    service.faults = lambda body, number: ("status", 500, {}, "bug") if body["seed"] == 2 else None
    replies = ask(service, 4)
    assert [reply.status for reply in replies] == ["finished", "finished", "failed", "finished"]
    assert replies[2].error == "HTTP 500: bug, in each of 4 tries" and not replies[2].permanent


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_service_fails_no_request(service, status):
    service.faults = lambda body, number: ("status", status, {}, "busy")
    with pytest.raises(ServiceError, match=r"after 4 tries .*busy"):
        ask(service)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_service_that_refuses_us_fails_no_request(service, status):
    service.faults = lambda body, number: ("status", status, {}, json.dumps({"error": {"message": "who are you"}}))
    with pytest.raises(ServiceError, match=r"who are you; check URL, model name and key"):
        ask(service)
    assert len(service.bodies) == 1


def test_a_dead_service_fails_no_request(service):
    service.close()
    with pytest.raises(ServiceError, match=r"(?s)connection failed.*the end of the log"):
        ask(service, diagnose=lambda: "the end of the log")
