r"""A language model as rater: it gives each turn of a conversation a rating from 1 to 10, as MT-Bench's judge does.

Each turn is rated by a request of its own (Zheng et al. 2023, arXiv:2306.05685: single-answer grading): `first` is the
prompt of turn 1, `later` that of the others. Templates see, by the names of FastChat's judge prompts, question_1,
answer_1, ref_answer_1, question_2, ... up to the turn that is rated, question, answer and reference of this turn
(ref_answer_N and reference are "" where the question has none), and turn, its number. Only final answers are shown,
never the thinking.

The reply is read strictly: `[[rating]]` must occur in it, once or with the same number each time, from 1 to 10, in the
reply without its thinking; a reply that was cut off does not count. Otherwise the conversation goes on once with
`repair`; a second reply that cannot be read leaves the turn without a rating, and the verdict is `unparsed`.

A rating is neither right nor wrong: the status is `rated`, and the measures are rating (the sum of the turns' ratings,
their number), rating_turn_1, rating_turn_2. A turn without an answer (failed, refused, empty) is rated 1 unasked.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..common.measures import RATING
from ..common.rows import seed_of
from ..traces.prompts import render
from .judge import JudgeVerifier
from .verdict import Verdict

_RATING = re.compile(r"\[\[\s*(\d{1,2}(?:\.\d{1,3})?)\s*\]\]")
_REASONS = {"failed": "generation_failed", "refused": "refused", "truncated": "truncated"}


def rating_of(reply: str) -> float | None:
    """The rating in a judge's reply; None when there is none, several different ones, or one off the scale."""
    found = {float(number) for number in _RATING.findall(reply)}
    rating = found.pop() if len(found) == 1 else None
    return rating if rating is not None and RATING[0] <= rating <= RATING[1] else None


def conversation_of(question: dict[str, Any], trace: dict[str, Any]) -> list[tuple[str, str]]:
    """(user's message, reply) of each turn; a reply that is not there is ""."""
    users = [question["problem"], *(question.get("turns") or [])]
    said = [each["content"] for each in json.loads(trace.get("messages") or "[]") if each["role"] == "assistant"]
    asked = [each["content"] for each in json.loads(trace.get("messages") or "[]") if each["role"] == "user"]
    # Further turns are sent as they are; worked examples of the prompt come before the conversation.
    reached = next((n for n in range(len(users), 1, -1) if asked[1 - n :] == users[1:n]), 1)
    replies = [*said[len(said) - reached + 1 :], trace.get("response") or ""]
    return list(zip(users, [*replies, *[""] * (len(users) - reached)], strict=True))


class RatingVerifier(JudgeVerifier):
    """The `rating` verifier; `settings["verifier"]`: first, later, sampling, repair; where it is asked as for a judge."""

    name = "rating"

    def _rate(self, variables: dict[str, Any], turn: int, trace: dict[str, Any]) -> tuple[float | None, list[str], str]:
        """(rating or None, the judge's replies, why there is no rating)."""
        prompt = self._settings["first" if turn == 1 else "later"] or self._settings["first"]
        system = (
            [] if prompt["system"] is None else [{"role": "system", "content": render(prompt["system"], **variables)}]
        )
        messages = [*system, {"role": "user", "content": render(prompt["template"], **variables)}]
        seed = seed_of(f"{trace['trace_id']}/{turn}", self._seed)
        said: list[str] = []
        why = "judge_unclear"
        for _ in range(2):
            reply = self._ask(messages, seed)
            if reply.status == "failed" and not reply.permanent:
                raise RuntimeError(f"the judge does not answer: {reply.error}")
            if reply.status in ("failed", "refused"):
                return None, [*said, reply.error or ""], f"judge_{reply.status}"
            words = (reply.response or "").strip()
            said.append(words)
            why = "judge_truncated" if reply.status == "truncated" else "judge_unclear"
            if reply.status != "truncated" and (rating := rating_of(words)) is not None:
                return rating, said, ""
            messages = [
                *messages,
                {"role": "assistant", "content": words},
                {"role": "user", "content": self._settings["repair"]},
            ]
        return None, said, why

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Verdict:
        """Rate one row.

        Raises:
            UserError: the judge's service is down or refuses us.
            RuntimeError: the service answers, but not this request.
        """
        references = question.get("references") or []
        variables: dict[str, Any] = {}
        turns: list[dict[str, Any]] = []
        missing = False
        for number, (asked, answer) in enumerate(conversation_of(question, trace), start=1):
            reference = references[number - 1] if number <= len(references) else ""
            variables |= {f"question_{number}": asked, f"answer_{number}": answer, f"ref_answer_{number}": reference}
            variables |= {"question": asked, "answer": answer, "reference": reference, "turn": number}
            if answer.strip():
                rating, said, why = self._rate(variables, number, trace)
            else:
                rating, said, why, missing = RATING[0], [], "", True
            turns.append({"rating": rating, "judge": said, **({"why": why} if why else {})})
        ratings = [turn["rating"] for turn in turns if turn["rating"] is not None]
        measures = {
            f"rating_turn_{n}": (t["rating"], 1) for n, t in enumerate(turns, 1) if t["rating"] is not None and n < 3
        }
        if ratings:
            measures["rating"] = (sum(ratings), len(ratings))
        answer = f"{sum(ratings) / len(ratings):g}" if ratings else None
        unread = next((turn["why"] for turn in turns if "why" in turn), None)
        if unread:
            return Verdict("unparsed", unread, answer, {"turns": turns}, measures)
        reason = _REASONS.get(trace["status"], "no_answer") if missing else ""
        return Verdict("rated", reason, answer, {"turns": turns}, measures)


create = RatingVerifier
