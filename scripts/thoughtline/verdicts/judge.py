"""A language model as judge: it sees problem, reference and final answer, and says yes or no.

The template's `answer` is the final answer that the recipe's `extraction` finds, and the whole response where it finds
none; `response` is always the whole, as the judge of OpenThoughts saw it. The answer alone is cheaper to read and
leaves less room for persuasion. The thinking is never shown.

The reply is read strictly: exactly one of the recipe's patterns `yes` and `no` must occur in it (any case), in the reply
without its thinking. A reply that was cut off at its token limit may have been about to say the opposite, so it counts
only where it is nothing but the word. Otherwise the conversation goes on once with the recipe's `repair`; a second reply
that cannot be read makes the verdict `unparsed`. The judge's own words are the evidence. The seed of a request comes
from the trace's id.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from ..common.errors import UserError
from ..common.names import MULTIPLE_CHOICE_LETTERS
from ..common.rows import seed_of
from ..traces.client import ChatClient, Reply
from ..traces.prompts import render
from .answers import extract
from .verdict import Closing, Verdict, excerpt, fingerprint_of, ruled_out


def reading(reply: str, yes: str, no: str, cut_off: bool = False) -> bool | None:
    """True for yes, False for no, None when the reply says neither or both.

    Args:
        cut_off: the reply hit its token limit; then it must be the word alone, with or without marks around it.
    """
    text, match = (re.sub(r"^\W+|\W+$", "", reply), re.fullmatch) if cut_off else (reply, re.search)
    said_yes, said_no = (match(pattern, text, re.IGNORECASE) is not None for pattern in (yes, no))
    return said_yes if said_yes != said_no else None


class JudgeVerifier(Closing):
    """The `judge` verifier.

    `settings["verifier"]`: system, template, extraction, sampling, yes, no, repair; `settings["endpoint"]`: url, model,
    revision, key_variable, unless `options.service` says where the judge is.
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
        settings, response = self._settings, trace["response"]
        answer = extract(response, settings["extraction"])
        choices = question.get("choices") or []
        text = render(
            settings["template"],
            problem=question["problem"],
            reference=question["answer"],
            answer=response if answer is None else answer,
            response=response,
            choices=choices,
            letters=list(MULTIPLE_CHOICE_LETTERS[: len(choices)]),
        )
        system = [] if settings["system"] is None else [{"role": "system", "content": settings["system"]}]
        messages = [*system, {"role": "user", "content": text}]
        shown = None if answer is None else excerpt(answer)
        said: list[str] = []
        evidence = {"extracted": shown, "judge": said}
        for _ in range(2):
            reply = self._ask(messages, seed_of(trace["trace_id"], self._seed))
            if reply.status == "failed" and not reply.permanent:
                raise RuntimeError(f"the judge does not answer: {reply.error}")
            if reply.status in ("failed", "refused"):
                return Verdict("unparsed", f"judge_{reply.status}", shown, {**evidence, "error": reply.error})
            words = (reply.response or "").strip()
            said.append(words)
            meant = reading(words, settings["yes"], settings["no"], reply.status == "truncated")
            if meant:
                return Verdict("correct", "", shown, evidence)
            if meant is False:
                unfinished = answer is None and trace.get("status") == "truncated"
                return Verdict("incorrect", "truncated" if unfinished else "judge_no", shown, evidence)
            messages = [
                *messages,
                {"role": "assistant", "content": words},
                {"role": "user", "content": settings["repair"]},
            ]
        why = "judge_truncated" if reply.status == "truncated" else "judge_unclear"
        return Verdict("unparsed", why, shown, evidence)


create = JudgeVerifier
