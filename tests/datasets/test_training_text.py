"""What a row says, and how long it is."""

import json

import pytest
from thoughtline.common.errors import UserError
from thoughtline.datasets.length import ChatTokenizer
from thoughtline.datasets.text import assistant_text, system_and_user


@pytest.mark.parametrize(
    ("form", "reasoning", "text"),
    [
        (
            "openthoughts",
            "Hm.\n",
            "<|begin_of_thought|>\n\nHm.\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n4\n\n<|end_of_solution|>",
        ),
        ("openthoughts", None, "<|begin_of_solution|>\n\n4\n\n<|end_of_solution|>"),
        ("think", "Hm.", "<think>\nHm.\n</think>\n\n4"),
        ("think", " ", "4"),
        ("plain", "Hm.", "4"),
        ("think", "{0} {x}", "<think>\n{0} {x}\n</think>\n\n4"),
    ],
)
def test_assistant_text(form, reasoning, text):
    assert assistant_text(form, reasoning, "\n4 ") == text


def test_user_turn_is_the_prompt_without_examples(folder):
    question = folder.question("science", "Which?", choices=["red", "blue"])
    template = "{{ problem }}{% for c in choices %} {{ letters[loop.index0] }}) {{ c }}{% endfor %}"
    prompt = {"system": "Be brief.", "template": template, "examples": [{"problem": "EXAMPLE", "response": "x"}]}
    assert system_and_user({"science": prompt}, question) == ("Be brief.", "Which? A) red B) blue")
    assert system_and_user({"science": {**prompt, "system": None}}, question)[0] == ""
    with pytest.raises(UserError, match="no prompt for science"):
        system_and_user({}, question)
    with pytest.raises(UserError, match="undefined"):
        system_and_user({"science": {**prompt, "template": "{{ question }}"}}, question)


def test_length_is_that_of_the_chat_without_truncation_or_padding(word_model):
    tokenizer = ChatTokenizer(word_model.manifest)
    text = tokenizer.chat("be brief", "what is it", "a b c d e")
    assert text == "<system> be brief END\n<user> what is it END\n<assistant> a b c d e END\n"
    assert tokenizer.count([("be brief", "what is it", "a b c d e"), ("", "x", "y")]) == [16, 6]


@pytest.mark.parametrize("form", ["file", "list"])
def test_chat_templates_in_their_other_places(word_model, form):
    template = "{%- for m in messages %}{% generation %}{{ m.content }} {% endgeneration %}{{ strftime_now('%Y') }} {% endfor %}"
    if form == "file":
        (word_model.weights / "chat_template.jinja").write_text(template)
    else:
        named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": template}]
        (word_model.weights / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert ChatTokenizer(word_model.manifest).chat("", "u", "a") == "u 2025 a 2025 "


def test_missing_parts_of_a_tokenizer_are_named(word_model):
    (word_model.weights / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="has no chat template"):
        ChatTokenizer(word_model.manifest)
    refuses = {"chat_template": "{{ raise_exception('System role not supported') }}"}
    (word_model.weights / "tokenizer_config.json").write_text(json.dumps(refuses))
    with pytest.raises(UserError, match="System role not supported"):
        ChatTokenizer(word_model.manifest).chat("s", "u", "a")
    (word_model.weights / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json: there is no such file"):
        ChatTokenizer(word_model.manifest)
