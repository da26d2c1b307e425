"""The training text of a row: what the student sees, and what it learns to say."""

from __future__ import annotations

from typing import Any

from ..common.errors import UserError
from ..traces.prompts import messages_of

OPENTHOUGHTS_THOUGHT = "<|begin_of_thought|>\n\n{}\n\n<|end_of_thought|>\n\n"
OPENTHOUGHTS_SOLUTION = "<|begin_of_solution|>\n\n{}\n\n<|end_of_solution|>"
THINK = "<think>\n{}\n</think>\n\n"


def assistant_text(form: str, reasoning: str | None, response: str) -> str:
    """The assistant's turn, ends of both parts trimmed; without reasoning its part is left out, tags and all.

    openthoughts: reasoning and answer between begin/end_of_thought and begin/end_of_solution (plain text, as released).
    think: reasoning between <think> tags, then the answer. plain: the answer only.
    """
    thinking, answer = (reasoning or "").strip(), response.strip()
    if form == "openthoughts":
        return (OPENTHOUGHTS_THOUGHT.format(thinking) if thinking else "") + OPENTHOUGHTS_SOLUTION.format(answer)
    if form == "think":
        return (THINK.format(thinking) if thinking else "") + answer
    return answer


def system_and_user(prompts: dict[str, Any], question: dict[str, Any]) -> tuple[str, str]:
    """System text ("" for none) and user turn of a question, by its domain's prompt, without worked examples.

    Raises:
        UserError: the recipe's prompt has no entry for the domain.
    """
    prompt = prompts.get(question["domain"])
    if prompt is None:
        raise UserError(
            "settings.prompts", f"has no prompt for {question['domain']}", "add that domain to the dataset's prompt"
        )
    user = messages_of({**prompt, "examples": [], "system": None}, question)[-1]["content"]
    return prompt["system"] or "", user
