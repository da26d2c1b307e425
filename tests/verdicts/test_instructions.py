"""The verifier `instructions`: strict and loose, prompt and instruction level, and the published responses of GPT-4."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from thoughtline.common.errors import UserError
from thoughtline.common.rows import VERDICTS, read_rows
from thoughtline.verdicts import verifier_for
from thoughtline.verdicts.complete import complete
from thoughtline.verdicts.instructions import loose_variants
from thoughtline.verdicts.verify import verify_traces
from verdict_rows import question, trace, write

SETTINGS = {"verifier": {"verifier": "instructions"}}
NO_COMMA = {"id": "punctuation:no_comma", "kwargs": {}}
TWO_BULLETS = {"id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 2}}


def asked(*instructions, problem="Write."):
    return question(problem, tests={"instructions": list(instructions)}, domain="chat")


def judge(verifier, row, response, **changes):
    return verifier.verify(row, trace(row, response, **changes))


def test_correct_means_every_instruction_in_the_strict_sense():
    row = asked(NO_COMMA, TWO_BULLETS)
    with verifier_for(SETTINGS) as verifier:
        good = judge(verifier, row, "* a\n* b")
        assert (good.status, good.reason, good.evidence["not_followed"]) == ("correct", "", [])
        assert good.measures == {"prompt_loose": (1, 1), "instruction_strict": (2, 2), "instruction_loose": (2, 2)}
        loose = judge(verifier, row, "Sure, here it is:\n* a\n* b")
        assert (loose.status, loose.reason) == ("incorrect", "instruction_not_followed")
        assert loose.measures == {"prompt_loose": (1, 1), "instruction_strict": (1, 2), "instruction_loose": (2, 2)}
        assert loose.evidence == {"not_followed": ["punctuation:no_comma"], "not_followed_loosely": []}
        bad = judge(verifier, row, "* a, b\n* c, d\n* e, f\n* g, h\n* i")
        assert bad.measures == {"prompt_loose": (0, 1), "instruction_strict": (0, 2), "instruction_loose": (0, 2)}


def test_no_answer_follows_nothing():
    row = asked(NO_COMMA)
    with verifier_for(SETTINGS) as verifier:
        for status, reason in (("failed", "generation_failed"), ("refused", "refused"), ("truncated", "truncated")):
            verdict = judge(verifier, row, None, status=status)
            assert (verdict.status, verdict.reason) == ("incorrect", reason)
            assert verdict.measures == {
                "prompt_loose": (0, 1),
                "instruction_strict": (0, 1),
                "instruction_loose": (0, 1),
            }
        assert judge(verifier, question("q"), "x").reason == "no_instructions"


@pytest.mark.parametrize("tests", [{"inputs": [], "outputs": []}, {"instructions": [{"id": "no:such", "kwargs": {}}]}])
def test_broken_instructions_stop_the_job(tests):
    with verifier_for(SETTINGS) as verifier, pytest.raises(UserError, match="cannot be read"):
        judge(verifier, question("q", tests=tests), "x")


def test_variants_are_the_eight_of_the_reference():
    assert loose_variants("*a*\nb\n c") == ["*a*\nb\n c", "a\nb\n c", "b\n c", "*a*\nb", "b", "b\n c", "a\nb", "b"]


def test_the_same_verdicts_whatever_the_order_and_the_workers(tmp_path):
    rows = [
        asked(NO_COMMA, {"id": "language:response_language", "kwargs": {"language": "de"}}, problem=f"q{n}")
        for n in range(12)
    ]
    traces = [trace(row, f"Das ist ein Satz{',' * (n % 2)} und noch einer.") for n, row in enumerate(rows)]
    contents = []
    for number, workers in ((0, 1), (1, 6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = write(folder, rows[:: 1 - 2 * number], traces[:: 1 - 2 * number])
        counts = verify_traces(complete(SETTINGS), *paths, folder / "v.parquet", folder / "work", workers=workers)
        contents.append((folder / "v.parquet").read_bytes())
    assert counts["status"] == {"correct": 6, "incorrect": 6}
    assert contents[0] == contents[1]
    measures = [json.loads(row["measures"]) for row in read_rows(tmp_path / "0/v.parquet", VERDICTS)]
    assert sum(each["instruction_strict"][0] for each in measures) == 18


def published(name):
    """(instructions, response) of each prompt of the published files below THOUGHTLINE_DATA."""
    folder = Path(os.environ.get("THOUGHTLINE_DATA") or "")
    if not os.environ.get("THOUGHTLINE_DATA") or not (folder / name).is_dir():
        pytest.skip(f"THOUGHTLINE_DATA names no folder that holds {name}/")
    prompts, responses = sorted((folder / name).glob("*.jsonl"), key=lambda path: "response" in path.name)
    given = [json.loads(line) for line in responses.read_text(encoding="utf-8").splitlines()]
    by_prompt, by_start = ({each["prompt"][:length]: each["response"] for each in given} for length in (None, 100))
    for line in prompts.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        instructions = [
            {"id": name, "kwargs": arguments}
            for name, arguments in zip(row["instruction_id_list"], row["kwargs"], strict=True)
        ]
        # One prompt of IFEval was mended after the responses had been published; only its end differs.
        response = by_prompt.get(row["prompt"], by_start.get(row["prompt"][:100]))
        yield row["key"], asked(*instructions, problem=row["prompt"]), response


def totals(verdicts):
    found = Counter()
    for verdict in verdicts:
        found["prompt_strict"] += verdict.status == "correct"
        for name, (value, _) in verdict.measures.items():
            found[name] += value
        found["instructions"] += verdict.measures["instruction_strict"][1]
    return found


def test_published_responses_of_gpt4():
    """Table 3 of the paper has 416 and 429 of 541 prompts, 697 and 712 of 834 instructions (strict, loose).

    That count drew a random letter, anew for strict and for loose, where a prompt counts a sign ("#" in 1122, "!" in
    1129), so each of them was counted by luck. The response has the signs. All else must be as published.
    """
    with verifier_for(SETTINGS) as verifier:
        verdicts = {key: judge(verifier, row, response) for key, row, response in published("ifeval")}
    found = totals(verdicts.values())
    assert found == {
        "prompt_strict": 417, "prompt_loose": 431, "instruction_strict": 698, "instruction_loose": 714, "instructions": 834,
    }  # fmt: skip
    by_luck = [verdicts[key] for key in (1122, 1129)]
    assert all(verdict.status == "correct" for verdict in by_luck)
    assert found["prompt_strict"] - 1 == 416 and found["instruction_strict"] - 1 == 697  # one of the two by luck
    assert found["prompt_loose"] - 2 == 429 and found["instruction_loose"] - 2 == 712  # none of the two by luck


def test_published_responses_in_russian():
    """No counts were published: these are ours, so that a change of a rule shows."""
    with verifier_for({"verifier": {"verifier": "instructions", "language": "ru"}}) as verifier:
        found = totals(judge(verifier, row, response) for _, row, response in published("ruifeval"))
    assert found == {
        "prompt_strict": 290, "prompt_loose": 307, "instruction_strict": 538, "instruction_loose": 563, "instructions": 834,
    }  # fmt: skip
