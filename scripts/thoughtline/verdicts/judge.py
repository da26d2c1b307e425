"""A language model as judge: it sees problem, reference and final answer, and says yes or no.

The reply is read strictly: exactly one of the recipe's patterns `yes` and `no` must occur in it (any case), in the reply
without its thinking. Otherwise the conversation goes on once with the recipe's `repair`; a second reply that cannot
be read makes the verdict `unparsed`. The judge's own words are the evidence. The seed of a request comes from the trace's id.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from ..common.errors import UserError
from ..common.rows import seed_of
from ..traces.client import ChatClient, Reply
from ..traces.prompts import render
from .verdict import Closing, Verdict, fingerprint_of, ruled_out


def reading(reply: str, yes: str, no: str) -> bool | None:
    """True for yes, False for no, None when the reply says neither or both."""
    said_yes, said_no = (re.search(pattern, reply, re.IGNORECASE) is not None for pattern in (yes, no))
    return said_yes if said_yes != said_no else None


class JudgeVerifier(Closing):
    """The `judge` verifier.

    `settings["verifier"]`: system, template, sampling, yes, no, repair; `settings["endpoint"]`: url, model, revision,
    key_variable, unless `options.service` says where the judge is.
    """

    name = "judge"

    def __init__(self, settings: dict[str, Any], options: Any) -> None:
        self._settings, self._seed = settings["verifier"], settings["seed"]
        endpoint, service = settings.get("endpoint"), options.service
        if service is None and endpoint is None:
            raise UserError("judge", "neither an endpoint nor weights", "give --model models/M/model.json")
        self._service, self._endpoint = service, endpoint
        asked = {
            "judge": service.revision if service else {key: endpoint[key] for key in ("model", "revision")},
            "engine": settings.get("engine") or {},
            "environment": settings.get("judge_environment"),
            "seed": self._seed,
        }
        self.fingerprint = fingerprint_of(settings, asked)
        self._runner: asyncio.Runner | None = None
        self._client: ChatClient | None = None

    def _open(self) -> ChatClient:
        if self._service:
            service = self._service
            return ChatClient(
                service.url, service.model, service.key, concurrency=1, health_url=service.health_url,
                diagnose=service.diagnose,
            )  # fmt: skip
        endpoint, variable = self._endpoint, self._endpoint.get("key_variable")
        if variable and not os.environ.get(variable):
            raise UserError(f"environment variable {variable}", "is not set", "it must hold the endpoint's key")
        return ChatClient(endpoint["url"], endpoint["model"], os.environ[variable] if variable else None, concurrency=1)

    def _ask(self, messages: list[dict[str, str]], seed: int) -> Reply:
        if self._runner is None:
            self._runner = asyncio.Runner()
        if self._client is None:
            self._client = self._open()
        return self._runner.run(self._client.complete(messages, self._settings["sampling"], seed))

    def close(self) -> None:
        """Let go of the connection, unless a request is being waited for in another thread."""
        runner, client = self._runner, self._client
        if runner is None or runner.get_loop().is_running():
            return
        if client is not None:
            runner.run(client.close())
        runner.close()
        self._runner = self._client = None

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Judge one row.

        Raises:
            UserError: the judge's service is down or refuses us.
            RuntimeError: the service answers, but not this request.
        """
        ruled = ruled_out(question, trace, "answer", "no_reference")
        if ruled:
            return ruled
        settings = self._settings
        text = render(
            settings["template"], problem=question["problem"], reference=question["answer"], response=trace["response"]
        )
        system = [] if settings["system"] is None else [{"role": "system", "content": settings["system"]}]
        messages = [*system, {"role": "user", "content": text}]
        said: list[str] = []
        for _ in range(2):
            reply = self._ask(messages, seed_of(trace["trace_id"], self._seed))
            if reply.status == "failed" and not reply.permanent:
                raise RuntimeError(f"the judge does not answer: {reply.error}")
            if reply.status in ("failed", "refused"):
                return Verdict("unparsed", f"judge_{reply.status}", None, {"judge": said, "error": reply.error})
            words = (reply.response or "").strip()
            said.append(words)
            meant = reading(words, settings["yes"], settings["no"])
            if meant is not None:
                return Verdict("correct" if meant else "incorrect", "" if meant else "judge_no", None, {"judge": said})
            messages = [
                *messages,
                {"role": "assistant", "content": words},
                {"role": "user", "content": settings["repair"]},
            ]
        return Verdict("unparsed", "judge_unclear", None, {"judge": said})


create = JudgeVerifier
