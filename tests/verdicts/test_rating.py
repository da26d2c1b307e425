"""The rater, against a small service that speaks the OpenAI protocol."""

import json

import pytest
from thoughtline.common.rows import VERDICTS, read_rows
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.rating import conversation_of, rating_of
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace, write

FIRST = "{{ question }}|{{ answer }}{% if reference %}|{{ reference }}{% endif %}"
LATER = "{{ question_1 }}|{{ answer_1 }}|{{ ref_answer_1 }}|{{ question_2 }}|{{ answer_2 }}|{{ ref_answer_2 }}"


def settings_of(url, **changes):
    prompts = {
        "first": {"template": FIRST, "system": "Rate."},
        "later": {"template": LATER, "system": "Rate turn {{ turn }}."},
    }
    rating = {"verifier": "rating", "model": "judge", **prompts, **changes}
    return {"verifier": rating, "seed": 7, "endpoint": {"url": url, "model": "j", "revision": "r1"}}


def conversation(first="One.", last="Two.", references=None, status="finished"):
    asked = {**question("First?", domain="chat"), "turns": ["Second?"], "references": references}
    examples = [{"role": "user", "content": "Example?"}, {"role": "assistant", "content": "Example."}]
    sent = [{"role": "system", "content": "s"}, *examples, {"role": "user", "content": "First?"}]
    if first is not None:
        sent += [{"role": "assistant", "content": first}, {"role": "user", "content": "Second?"}]
    return asked, {**trace(asked, last, status=status), "messages": json.dumps(sent)}


@pytest.mark.parametrize(
    ("reply", "rating"),
    [("Good. Rating: [[7]]", 7), ("[[ 8.5 ]]", 8.5), ("[[7]] ... so [[7]]", 7), ("[[10]]", 10), ("[[7]] or [[8]]", None),
     ("[[0]]", None), ("[[11]]", None), ("Rating: 7", None), ("[7]", None), ("[[7/10]]", None), ("", None)],
)  # fmt: skip
def test_rating_of(reply, rating):
    assert rating_of(reply) == rating


def test_each_turn_is_rated_by_its_own_prompt(service):
    server = service(
        lambda messages: "<think>[[1]]</think>Fine. [[9]]" if "turn 2" in messages[0]["content"] else "[[4]]"
    )
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(*conversation())
        referenced = verifier.verify(*conversation(references=["R1", "R2"]))
    assert (verdict.status, verdict.reason, verdict.answer) == ("rated", "", "6.5")
    assert verdict.measures == {"rating": (13, 2), "rating_turn_1": (4, 1), "rating_turn_2": (9, 1)}
    assert [turn["judge"] for turn in verdict.evidence["turns"]] == [["[[4]]"], ["Fine. [[9]]"]]
    assert referenced.status == "rated"
    sent = [[message["content"] for message in body["messages"]] for body in server.asked]
    assert sent == [
        ["Rate.", "First?|One."],
        ["Rate turn 2.", "First?|One.||Second?|Two.|"],
        ["Rate.", "First?|One.|R1"],
        ["Rate turn 2.", "First?|One.|R1|Second?|Two.|R2"],
    ]
    assert len({body["seed"] for body in server.asked[:2]}) == 2


def test_one_turn_and_examples_of_the_prompt(service):
    asked = question("First?", domain="chat")
    row = {**trace(asked, "One."), "messages": conversation(first=None)[1]["messages"]}
    assert conversation_of(asked, row) == [("First?", "One.")]
    assert conversation_of(*conversation()) == [("First?", "One."), ("Second?", "Two.")]
    assert conversation_of(*conversation(first=None, last=None, status="failed")) == [("First?", ""), ("Second?", "")]
    server = service(lambda messages: "[[3]]")
    with verifier_for(settings_of(server.url)) as verifier:
        assert verifier.verify(asked, row).measures == {"rating": (3, 1), "rating_turn_1": (3, 1)}


def test_one_repair_then_unparsed(service):
    server = service(lambda messages: "[[5]]" if len(messages) > 2 else "Five.")
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(*conversation())
    assert verdict.measures["rating"] == (10, 2) and len(server.asked) == 4
    assert verdict.evidence["turns"][0]["judge"] == ["Five.", "[[5]]"]

    server = service(lambda messages: "[[6]]" if "turn 2" in messages[0]["content"] else ("So [[5]]", "length"))
    with verifier_for(settings_of(server.url)) as verifier:
        verdict = verifier.verify(*conversation())
    assert (verdict.status, verdict.reason) == ("unparsed", "judge_truncated")
    assert verdict.measures == {"rating": (6, 1), "rating_turn_2": (6, 1)}


def test_no_answer_is_rated_lowest_unasked(service):
    server = service(lambda messages: "[[8]]")
    with verifier_for(settings_of(server.url)) as verifier:
        second = verifier.verify(*conversation(last=None, status="failed"))
        none = verifier.verify(*conversation(first=None, last=None, status="refused"))
    assert (second.status, second.reason) == ("rated", "generation_failed")
    assert second.measures == {"rating": (9, 2), "rating_turn_1": (8, 1), "rating_turn_2": (1, 1)}
    assert (none.reason, none.measures["rating"]) == ("refused", (2, 2))
    assert len(server.asked) == 1


def test_rows_are_rated_from_files_and_journalled(service, tmp_path):
    pairs = [conversation(first=f"One {n}.") for n in range(3)]
    asked = [{**row, "question_id": f"{n:032x}"} for n, (row, _) in enumerate(pairs)]
    traces = [{**row, "question_id": f"{n:032x}", "trace_id": f"{n:032x}"} for n, (_, row) in enumerate(pairs)]
    server = service(lambda messages: f"[[{4 + int('One 1.' in messages[-1]['content'])}]]")
    paths, settings = write(tmp_path, asked, traces), complete(settings_of(server.url))
    counts = verify_traces(settings, *paths, tmp_path / "v.parquet", tmp_path / "work", workers=2)
    assert counts["status"] == {"rated": 3}
    found = [json.loads(row["measures"])["rating"] for row in read_rows(tmp_path / "v.parquet", VERDICTS)]
    assert found == [[8.0, 2], [10.0, 2], [8.0, 2]]
    number = len(server.asked)
    verify_traces(settings, *paths, tmp_path / "v.parquet", tmp_path / "work")
    assert len(server.asked) == number
    traces[0]["messages"] = conversation(first="Another.")[1]["messages"]
    verify_traces(settings, *write(tmp_path, asked, traces), tmp_path / "v.parquet", tmp_path / "work")
    assert len(server.asked) == number + 2  # another first reply is another conversation
