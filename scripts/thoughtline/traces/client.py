"""One asynchronous client for every OpenAI-compatible service, our own vLLM server among them.

    async with ChatClient(url, "model", concurrency=64) as client:
        reply = await client.complete(messages, {"temperature": 0.7, "max_tokens": 512}, seed=7)

A request ends in one of three ways. It is answered: Reply.status finished, truncated or refused. It can never be
answered (too long a prompt, say), or the service keeps failing at this one request while it is up: status failed.
Or the service itself is down, unreachable, or refuses us: ServiceError, which says nothing of the request.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from ..common.errors import UserError
from .reasoning import parts_of

REJECTED = frozenset({400, 413, 422})
"""HTTP statuses that mean: this request can never succeed."""

RETRIED = frozenset({408, 409, 425, 429})
"""HTTP statuses below 500 that mean: try again later (as every status from 500 does)."""

LONGEST_WAIT = 60.0
"""Seconds: no wait between tries is longer, unless the service itself asks for a longer one."""


class ServiceError(UserError):
    """The service is down, unreachable or refuses us: nothing can be said of single requests."""


@dataclass(frozen=True)
class Reply:
    """How one request ended."""

    status: str
    """finished, truncated, refused or failed (rows.TRACE_STATUS)."""
    reasoning: str | None = None
    """The thinking, without its tags; None when the model gave none apart."""
    response: str | None = None
    """The final answer's text; None if failed."""
    finish_reason: str | None = None
    """The engine's own word; None if failed."""
    error: str | None = None
    """Why it failed or was refused."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    permanent: bool = True
    """False when another run may end differently (tries were used up): do not remember such a reply."""


@dataclass
class Usage:
    """What a client has done so far."""

    requests: int = 0
    """HTTP requests sent, retries included."""
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Again(Exception):
    """This try failed in a way that the next may not."""

    def __init__(self, why: str, wait: float | None = None, overloaded: bool = False) -> None:
        self.why, self.wait, self.overloaded = why, wait, overloaded
        super().__init__(why)


def body_of(model: str, messages: list[dict[str, str]], sampling: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """The request's JSON: sampling parameters that are not set (None, no stop strings) are left out."""
    chosen = {name: value for name, value in sampling.items() if value is not None and value != []}
    return {"model": model, "messages": messages, **chosen, **({} if seed is None else {"seed": seed})}


def reply_of(answer: dict[str, Any]) -> Reply:
    """The Reply in a chat completion's JSON.

    Raises:
        LookupError, TypeError, AttributeError: it is no chat completion.
    """
    choice = answer["choices"][0]
    message, reason = choice["message"], choice.get("finish_reason")
    reasoning, response = parts_of(message)
    usage = answer.get("usage") or {}
    tokens = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    refusal = message.get("refusal")
    if reason == "content_filter" or refusal:
        error = refusal or "stopped by the service's content filter"
        return Reply("refused", reasoning, response, reason, error, **tokens)
    if reason in (None, "abort", "error"):
        raise LookupError(f"the service broke the reply off (finish_reason {reason})")
    return Reply("truncated" if reason == "length" else "finished", reasoning, response, reason, **tokens)


def error_text(response: httpx.Response) -> str:
    """One line from an error response: HTTP status, then the service's own message."""
    try:
        found = response.json()
        inner = found.get("error", found)
        text = inner.get("message") or json.dumps(inner) if isinstance(inner, dict) else str(inner)
    except (ValueError, AttributeError):
        text = response.text
    return f"HTTP {response.status_code}: {' '.join(text.split())[:500]}"


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (a number of seconds, or a date); None when it gives none."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


class ChatClient:
    """Chat completions with a limit of concurrency and with retries.

    Args:
        base_url: up to and with /v1.
        model: the service's name of the model.
        key: sent as a bearer token when given.
        concurrency: requests in flight at once.
        retries: further tries after a first one that failed for a passing reason (429, 5xx, time-out,
            broken connection, a reply that is no chat completion).
        request_seconds: limit of one try, from sending to the last byte.
        backoff: seconds before the second try; doubled each time, with jitter, at most LONGEST_WAIT.
        health_url: asked (GET) whether the service is up once a request's tries are used up;
            default: base_url/models, where any answer below 500 means up.
        diagnose: adds to a ServiceError what else is known (the end of the server's log).
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None = None,
        *,
        concurrency: int = 64,
        retries: int = 5,
        request_seconds: float = 1800,
        backoff: float = 1.0,
        health_url: str | None = None,
        diagnose: Callable[[], str] = lambda: "",
    ) -> None:
        self.base_url, self.model = base_url.rstrip("/"), model
        self.retries, self.request_seconds, self.backoff = retries, request_seconds, backoff
        self.health_url, self.diagnose = health_url or f"{self.base_url}/models", diagnose
        self.usage = Usage()
        self._slots = asyncio.Semaphore(concurrency)
        self._jitter = random.Random()
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=concurrency + 1, max_keepalive_connections=concurrency),
            timeout=httpx.Timeout(request_seconds, connect=min(30.0, request_seconds)),
        )

    async def __aenter__(self) -> ChatClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def complete(
        self, messages: list[dict[str, str]], sampling: dict[str, Any], seed: int | None = None
    ) -> Reply:
        """One completion.

        Args:
            messages: chat messages, {"role", "content"}.
            sampling: temperature, max_tokens, top_p, top_k, stop, ...: whatever the service takes.
            seed: the request's seed.

        Raises:
            ServiceError: the service is down, unreachable or refuses us.
        """
        body = body_of(self.model, messages, sampling, seed)
        async with self._slots:
            last = _Again("not tried")
            for attempt in range(self.retries + 1):
                if attempt:
                    self.usage.retries += 1
                    await asyncio.sleep(self._wait(attempt, last))
                try:
                    reply = await self._once(body)
                except _Again as again:
                    last = again
                    continue
                self.usage.prompt_tokens += reply.prompt_tokens or 0
                self.usage.completion_tokens += reply.completion_tokens or 0
                return reply
            tries = f"{self.retries + 1} tries"
            if last.overloaded or not await self._is_up():
                raise ServiceError(self.base_url, f"no answer after {tries} ({last.why})", self._advice())
            return Reply("failed", error=f"{last.why}, in each of {tries}", permanent=False)

    def _advice(self) -> str:
        return "\n".join(filter(None, ("finished rows are kept: run the same command again to go on", self.diagnose())))

    def _wait(self, attempt: int, last: _Again) -> float:
        wait = min(LONGEST_WAIT, self.backoff * 2 ** (attempt - 1)) * self._jitter.uniform(0.5, 1.0)
        return wait if last.wait is None else last.wait + self._jitter.uniform(0, self.backoff / 4)

    async def _once(self, body: dict[str, Any]) -> Reply:
        self.usage.requests += 1
        try:
            async with asyncio.timeout(self.request_seconds):
                response = await self._http.post(f"{self.base_url}/chat/completions", json=body)
        except (TimeoutError, httpx.TimeoutException):
            raise _Again(f"no reply within {self.request_seconds:g} s") from None
        except httpx.UnsupportedProtocol as error:
            raise ServiceError(self.base_url, f"is no usable URL ({error})", "give http://... or https://...") from None
        except httpx.TransportError as error:
            raise _Again(f"connection failed ({type(error).__name__}: {error})") from None
        status = response.status_code
        if status >= 500 or status in RETRIED:
            overloaded = status in (429, 503)
            raise _Again(error_text(response), retry_after(response.headers.get("retry-after")), overloaded)
        if status in REJECTED:
            why = error_text(response)
            return Reply("refused" if "content_filter" in response.text else "failed", error=why)
        if status != 200:
            raise ServiceError(self.base_url, error_text(response), "check URL, model name and key")
        try:
            return reply_of(response.json())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _Again(f"the reply is no chat completion ({type(error).__name__}: {error})") from None

    async def _is_up(self) -> bool:
        try:
            return (await self._http.get(self.health_url, timeout=10)).status_code < 500
        except httpx.HTTPError:
            return False
