"""Questions of several turns, as MT-Bench has them."""

from small_sets import settings_of, source_of

FIELDS = {"turns": "turns", "references": "reference"}


def test_turns_and_references(jsonl, curated):
    rows = [
        {"turns": ["First?", "Second?"], "reference": ["One.", None]},
        {"turns": ["First?", "Another?"], "reference": None},
        {"turns": ["Alone?"], "reference": [12.5]},
        {"turns": ["First?", "Second?"], "reference": ["One."]},
        {"turns": ["First?", ""], "reference": None},
        {"turns": [], "reference": None},
    ]
    pool = curated(settings_of(source_of(path=jsonl(rows), fields=FIELDS), domain="chat"))
    found = {(row["problem"], tuple(row["turns"] or ())): row["references"] for row in pool.questions}
    assert found == {("First?", ("Second?",)): ["One.", ""], ("First?", ("Another?",)): None, ("Alone?", ()): ["12.5"]}
    assert len({row["question_id"] for row in pool.questions}) == 3
    assert sorted(row["reason"] for row in pool.dropped) == ["bad_turns", "bad_turns", "no_problem"]
