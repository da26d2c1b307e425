"""Conversations as tokens: the model is trained on exactly the tokens that it meets when it is served.

A server renders the messages with the chat template and the generation prompt, tokenises that text, and the model
goes on from there, token by token. So each reply is tokenised apart from what precedes it: no token straddles the
border, and the prompt's tokens are those of serving, the template's default system message included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..common.errors import UserError

IGNORED = -100
"""Label of a token that the loss leaves out."""

Messages = list[dict[str, str]]


def pieces(tokenizer: Any, messages: Messages, where: str) -> list[tuple[str, bool]]:
    """The rendered conversation, cut into (text, is it a reply) pieces; joined they are the whole text.

    A reply's piece holds its text, its end token and whatever the template writes after it.

    Raises:
        UserError: the template renders earlier messages differently once later ones follow, or drops part of a reply.
    """

    def render(count: int, prompt: bool = False) -> str:
        return tokenizer.apply_chat_template(messages[:count], tokenize=False, add_generation_prompt=prompt)

    found: list[tuple[str, bool]] = []
    done = ""
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, after = render(number, prompt=True), render(number + 1)
        if not (before.startswith(done) and after.startswith(before)):
            raise UserError(
                where,
                f"the chat template writes the text before reply {number} differently once the reply is there",
                "the model would be trained on a prompt that no server sends; use another template or reply format",
            )
        reply = after[len(before) :]
        if message["content"].strip() not in reply:
            raise UserError(
                where,
                f"the chat template leaves out part of reply {number}",
                "it may strip the thinking; use a template that keeps it, or another reply format",
            )
        found += [(before[len(done) :], False), (reply, True)]
        done = after
    return found


def encode(tokenizer: Any, messages: Messages, end_ids: Sequence[int], where: str) -> dict[str, list[int]]:
    """{"input_ids": tokens, "labels": the same tokens where they are trained, else IGNORED}.

    Trained are each reply's own tokens up to and with its end token; nothing else.

    Raises:
        UserError: as `pieces`, or the template ends a reply with none of `end_ids` (the model would not learn to stop).
    """
    ids: list[int] = []
    labels: list[int] = []
    for text, is_reply in pieces(tokenizer, messages, where):
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        ends = [index for index, token in enumerate(tokens) if token in end_ids] if is_reply else []
        if is_reply and not ends:
            raise UserError(
                where,
                f"the chat template ends a reply with none of the model's end tokens {sorted(end_ids)}",
                "set eos_token_id in generation_config.json to the token that ends a turn",
            )
        trained = ends[-1] + 1 if ends else 0
        ids += tokens
        labels += tokens[:trained] + [IGNORED] * (len(tokens) - trained)
    return {"input_ids": ids, "labels": labels}


def encode_all(
    tokenizer: Any, conversations: list[Messages], end_ids: Sequence[int], max_length: int, where: str
) -> tuple[list[dict[str, list[int]]], dict[str, int]]:
    """All conversations, cut off at `max_length` tokens, and what that did: {"rows", "cut", "dropped"}.

    A row whose prompt alone fills `max_length` has nothing left to train on and is dropped.

    Raises:
        UserError: as `encode`, or no row is left.
    """
    kept, cut = [], 0
    for number, messages in enumerate(conversations):
        row = encode(tokenizer, messages, end_ids, f"{where}, row {number}")
        cut += len(row["input_ids"]) > max_length
        row = {key: values[:max_length] for key, values in row.items()}
        if any(label != IGNORED for label in row["labels"]):
            kept.append(row)
    if not kept:
        raise UserError("max_length", f"no row of {where} has a reply within {max_length} tokens", "raise it")
    return kept, {"rows": len(conversations), "cut": cut, "dropped": len(conversations) - len(kept)}
