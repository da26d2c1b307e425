"""What is trained: the assistant's tokens and its end token, after the very tokens that a server sends."""

from __future__ import annotations

import pytest
from conftest import TEMPLATE, make_tokenizer
from thoughtline.common.errors import UserError
from thoughtline.models.encode import IGNORED, encode, encode_all

USER = {"role": "user", "content": "add the two numbers"}
REPLY = {"role": "assistant", "content": "the answer is seven"}
SYSTEM = {"role": "system", "content": "say one"}


def served(tokenizer, messages) -> list[int]:
    """Token ids that vLLM's chat endpoint makes of `messages`: the rendered text, tokenised without further special tokens."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def trained_text(tokenizer, row) -> str:
    return tokenizer.decode([label for label in row["labels"] if label != IGNORED])


@pytest.mark.parametrize(
    "reply", ["the answer is seven", "\n\nseven", "  one", "<think>\nso six\n</think>\n\nseven", "日本 ü"]
)
@pytest.mark.parametrize("messages", [[USER], [SYSTEM, USER]])
def test_the_student_meets_in_training_what_the_server_sends(tokenizer, messages, reply):
    row = encode(tokenizer, [*messages, {"role": "assistant", "content": reply}], [tokenizer.eos_token_id], "row")
    prompt = served(tokenizer, messages)
    assert prompt == list(tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"])
    assert row["input_ids"][: len(prompt)] == prompt
    assert row["labels"][: len(prompt)] == [IGNORED] * len(prompt)
    assert trained_text(tokenizer, row) == f"{reply}<|im_end|>"
    text = tokenizer.apply_chat_template([*messages, {"role": "assistant", "content": reply}], tokenize=False)
    assert tokenizer.decode(row["input_ids"]) == text


def test_labels_are_the_tokens_themselves_and_one_run(tokenizer):
    row = encode(tokenizer, [USER, REPLY], [tokenizer.eos_token_id], "row")
    trained = [index for index, label in enumerate(row["labels"]) if label != IGNORED]
    assert trained == list(range(trained[0], trained[-1] + 1))
    assert all(row["labels"][index] == row["input_ids"][index] for index in trained)
    assert row["labels"][trained[-1]] == tokenizer.eos_token_id
    assert row["labels"][trained[-1] + 1 :] == [IGNORED]  # the template's newline after the end token


def test_the_templates_default_system_message_is_in_the_prompt(tokenizer):
    row = encode(tokenizer, [USER, REPLY], [tokenizer.eos_token_id], "row")
    assert "You are Tiny." in tokenizer.decode(row["input_ids"])


def test_each_reply_of_a_longer_conversation_is_trained(tokenizer):
    second = {"role": "assistant", "content": "you get six"}
    row = encode(tokenizer, [USER, REPLY, USER, second], [tokenizer.eos_token_id], "row")
    assert trained_text(tokenizer, row) == "the answer is seven<|im_end|>you get six<|im_end|>"


def test_a_template_that_rewrites_or_drops_the_reply_is_refused():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATE.replace("message['content']", "message['content'].split('</think>')[-1]")
    thinking = {"role": "assistant", "content": "<think>so six</think>seven"}
    with pytest.raises(UserError, match=r"row 3: .*leaves out part of reply"):
        encode(tokenizer, [USER, thinking], [tokenizer.eos_token_id], "row 3")
    tokenizer.chat_template = TEMPLATE.replace("assistant\n' }}", "assistant\n<think>' }}")
    with pytest.raises(UserError, match="differently"):
        encode(tokenizer, [USER, REPLY], [tokenizer.eos_token_id], "row")


def test_a_template_without_end_token_is_refused(tokenizer):
    with pytest.raises(UserError, match="end tokens"):
        encode(tokenizer, [USER, REPLY], [tokenizer.convert_tokens_to_ids("<|endoftext|>")], "row")


def test_rows_are_cut_off_and_those_without_a_reply_left_are_dropped(tokenizer):
    ends = [tokenizer.eos_token_id]
    long = [{"role": "user", "content": "add the two numbers " * 30}, REPLY]
    whole = encode(tokenizer, [USER, REPLY], ends, "row")
    limit = len(whole["input_ids"]) - 3
    rows, counts = encode_all(tokenizer, [[USER, REPLY], long], ends, limit, "data")
    assert counts == {"rows": 2, "cut": 2, "dropped": 1}
    assert [row["input_ids"] for row in rows] == [whole["input_ids"][:limit]]
    with pytest.raises(UserError, match="max_length"):
        encode_all(tokenizer, [long], ends, limit, "data")
