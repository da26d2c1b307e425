"""Verifiable instructions of a source: what becomes of its two columns."""

import json

import pytest
from small_sets import settings_of, source_of
from thoughtline.questions.instructions import instructions
from thoughtline.questions.normalise import encoded
from thoughtline.questions.show import shown

WANTED = {"instructions": [{"id": "a:b", "kwargs": {"n": 2}}, {"id": "c:d", "kwargs": {}}]}


@pytest.mark.parametrize(
    ("names", "arguments", "found"),
    [
        (["a:b", "c:d"], [{"n": 2}, {}], WANTED),
        (["a:b", "c:d"], [{"n": 2, "m": None}, {"n": None, "m": None}], WANTED),
        ('["a:b", "c:d"]', '[{"n": 2}, {}]', WANTED),
        ([], [], None),
        (None, None, None),
        ("", [], None),
    ],
)
def test_forms(names, arguments, found):
    assert instructions(names, arguments) == found


@pytest.mark.parametrize(
    ("names", "arguments"), [(["a:b"], []), (["a:b"], ["n"]), ([1], [{}]), ("a:b", [{}]), ({"a": 1}, [{}])]
)
def test_refused(names, arguments):
    with pytest.raises(ValueError):
        instructions(names, arguments)


def test_a_source_with_instructions(jsonl, curated):
    rows = [
        {"prompt": "Write.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
        {"prompt": "Write more.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": []},
    ]
    fields = {"problem": "prompt", "instructions": "instruction_id_list", "instruction_arguments": "kwargs"}
    pool = curated(settings_of(source_of(path=jsonl(rows), fields=fields), domain="chat"))
    (question,) = pool.questions
    assert json.loads(encoded(question)["tests"]) == {"instructions": [{"id": "punctuation:no_comma", "kwargs": {}}]}
    assert "punctuation:no_comma" in shown(encoded(question))
    assert [row["reason"] for row in pool.dropped] == ["bad_tests"]
