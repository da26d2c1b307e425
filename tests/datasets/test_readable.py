"""Which chains of thought a person could read."""

import pytest
from thoughtline.datasets.readable import other_scripts, unreadable

RULE = {"other_scripts": 0.05, "paragraph": 60, "code_blocks": False}


@pytest.mark.parametrize(
    ("text", "problem", "share"),
    [
        ("plain words", "What is it?", 0.0),
        ("ab数学", "What is it?", 0.5),
        ("数学かな", "数は何?", 0.0),
        ("Пусть x равно 5", "Чему равно x?", 1 / 11),
        ("let α, β and π be 𝑥", "Solve for α", 0.0),
        ("12 + 30 = 42", "What is 12 + 30?", 0.0),
        ("anything", "12 + 30 = ?", 0.0),
        ("naïve café", "What is it?", 0.0),
    ],
)
def test_share_of_other_scripts(text, problem, share):
    assert other_scripts(text, problem) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("One step.\n\nAnother step.", None),
        ("让我们想一想 the answer", "mixed_language"),
        ("word " * 20, "long_paragraph"),
        (("word " * 10 + "\n \n") * 9, None),
        ("So:\n```python\nx = 1\n```", "code_block"),
        ("So:\n  ~~~\nx = 1\n  ~~~", "code_block"),
        ("inline ```x``` only", None),
    ],
)
def test_reasons(text, reason):
    assert unreadable(text, "What is it?", RULE) == reason


def test_what_is_not_limited_is_not_looked_for():
    open_rule = {"other_scripts": None, "paragraph": None, "code_blocks": True}
    assert unreadable("让我们\n```\n" + "word " * 99, "What is it?", open_rule) is None
