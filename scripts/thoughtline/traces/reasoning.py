"""Thinking and answer, told apart."""

from __future__ import annotations

from typing import Any

OPEN, CLOSE = "<think>", "</think>"


def split_reasoning(text: str) -> tuple[str | None, str]:
    """(reasoning, answer) of a reply's text; reasoning is None when the text has no tags.

    - `<think>a</think>b` -> ("a", "b"); text before the opening tag counts as reasoning.
    - `a</think>b` -> ("a", "b"): templates such as DeepSeek-R1's put the opening tag into the prompt.
    - `<think>a` -> ("a", ""): the reply was cut while thinking, so there is no answer.
    """
    head, closed, tail = text.partition(CLOSE)
    before, opened, inside = head.partition(OPEN)
    if not closed and not opened:
        return None, text
    thinking = "\n".join(part for part in (before.strip(), inside.strip()) if part)
    return thinking, tail.strip()


def parts_of(message: dict[str, Any]) -> tuple[str | None, str]:
    """(reasoning, answer) of a chat message: from its own reasoning field, else from <think> tags."""
    text = message.get("content") or ""
    for field in ("reasoning", "reasoning_content"):
        if isinstance(message.get(field), str):
            return message[field], text
    return split_reasoning(text)
