import json

import pytest
from dummy_service import question
from thoughtline.common.errors import UserError
from thoughtline.traces.prompts import messages_of
from thoughtline.traces.reasoning import parts_of, split_reasoning


def prompt(template="{{ problem }}", system=None, examples=()):
    return {"system": system, "template": template, "examples": list(examples)}


def test_plain_question():
    assert messages_of(prompt(), question("What is 1 + 1?")) == [{"role": "user", "content": "What is 1 + 1?"}]


def test_system_and_examples_use_the_same_template():
    example = {
        "problem": "2+2?",
        "choices": None,
        "starter_code": None,
        "function": False,
        "response": "<think>x</think>4",
    }
    found = messages_of(prompt("Solve: {{ problem }}", "Be brief.", [example]), question("3+3?"))
    assert [(each["role"], each["content"]) for each in found] == [
        ("system", "Be brief."),
        ("user", "Solve: 2+2?"),
        ("assistant", "<think>x</think>4"),
        ("user", "Solve: 3+3?"),
    ]


def test_examples_of_writing_anew_show_the_text_that_they_start_from():
    template = "{{ problem }}|{{ reasoning }}|{{ response }}"
    started = {"problem": "2+2?", "rewrites": {"reasoning": "two twos", "response": "4"}, "response": "four"}
    bare = {"problem": "1+1?", "response": "two"}
    trace = {"reasoning": "three threes", "response": "6"}
    found = messages_of(prompt(template, examples=[started, bare]), question("3+3?"), trace)
    assert [each["content"] for each in found if each["role"] == "user"] == [
        "2+2?|two twos|4",
        "1+1?||",
        "3+3?|three threes|6",
    ]


def test_choices_with_letters():
    template = "{{ problem }}{% for letter in letters %}\n{{ letter }}. {{ choices[loop.index0] }}{% endfor %}"
    (message,) = messages_of(prompt(template), question("Which?", choices=["red", "blue", "green"]))
    assert message["content"] == "Which?\nA. red\nB. blue\nC. green"


@pytest.mark.parametrize(
    ("tests", "word"), [(None, "program"), ({"fn_name": "f"}, "function"), ({"fn_name": None}, "program")]
)
def test_function_style(tests, word):
    template = "{% if function %}function{% else %}program{% endif %}{{ starter_code }}"
    row = question("x", tests=tests and json.dumps({"inputs": [], "outputs": [], **tests}))
    assert messages_of(prompt(template), row)[0]["content"] == word


def test_text_is_not_escaped_and_final_newline_kept():
    assert messages_of(prompt("{{ problem }}\n"), question("a < b & 'c'"))[0]["content"] == "a < b & 'c'\n"


@pytest.mark.parametrize("template", ["{{ problm }}", "{% if %}", "{{ problem"])
def test_bad_template_is_one_clear_error(template):
    with pytest.raises(UserError, match="template"):
        messages_of(prompt(template), question("x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", (None, "plain")),
        ("  plain \n", (None, "  plain \n")),
        ("<think>a</think>b", ("a", "b")),
        ("<think>\na\n</think>\n\nb\n", ("a", "b")),
        ("a\n</think>\nb", ("a", "b")),
        ("<think>a, cut", ("a, cut", "")),
        ("<think></think>b", ("", "b")),
        ("well <think>a</think>b", ("well\na", "b")),
        ("<think>a</think>b</think>c", ("a", "b</think>c")),
        ("", (None, "")),
    ],
)
def test_split_reasoning(text, expected):
    assert split_reasoning(text) == expected


def test_own_field_wins():
    assert parts_of({"content": "b", "reasoning": "a"}) == ("a", "b")
    assert parts_of({"content": "b", "reasoning_content": "a"}) == ("a", "b")
    assert parts_of({"content": None, "reasoning_content": "a"}) == ("a", "")
    assert parts_of({"content": "<think>a</think>b", "reasoning": None}) == ("a", "b")
