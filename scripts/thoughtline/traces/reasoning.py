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


THOUGHT = "<|begin_of_thought|>", "<|end_of_thought|>"
SOLUTION = "<|begin_of_solution|>", "<|end_of_solution|>"


def split_openthoughts(text: str) -> tuple[str | None, str]:
    """(thought, solution) of a text in OpenThoughts' and Sky-T1's form; thought is None when the text has none of its marks.

    - `<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b<|end_of_solution|>` -> ("a", "b"); marks that are left out at
      an end are taken as if they stood there.
    - only a thought -> ("a", ""): there is no solution.
    - only a solution -> ("", "b").
    """
    if not any(mark in text for mark in (*THOUGHT, *SOLUTION)):
        return None, text
    thought, ended, rest = text.partition(THOUGHT[1])
    if not ended:
        thought, begun, rest = text.partition(SOLUTION[0])
        rest = begun + rest
    thought = thought.rpartition(THOUGHT[0])[2]
    solution = rest.rpartition(SOLUTION[0])[2].partition(SOLUTION[1])[0]
    return thought.strip(), solution.strip()


def parts_of(message: dict[str, Any]) -> tuple[str | None, str]:
    """(reasoning, answer) of a chat message: from its own reasoning field, else from <think> tags."""
    text = message.get("content") or ""
    for field in ("reasoning", "reasoning_content"):
        if isinstance(message.get(field), str):
            return message[field], text
    return split_reasoning(text)
