"""Speculative decoding with tiny real models: what is written, what is counted, what is refused."""

import json

import pytest

torch = pytest.importorskip("torch", reason="needs the train environment")

from thoughtline.common.command import guarded  # noqa: E402
from thoughtline.common.errors import UserError  # noqa: E402
from thoughtline.common.files import read_json  # noqa: E402
from thoughtline.common.rows import QUESTIONS, question_id, write_rows  # noqa: E402
from thoughtline.drafts.measure import check_vocabularies, measure, summary  # noqa: E402
from thoughtline.drafts.speculate import agreed, alone, speculate  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: E402

torch.set_num_threads(1)  # tiny products; other threads only wait for each other
WORDS = 60
PROMPT = [5, 9, 13, 2]


def model(seed, layers=2):
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": layers, "num_attention_heads": 2}
    config = LlamaConfig(
        vocab_size=WORDS, max_position_embeddings=256, eos_token_id=1, bos_token_id=0, pad_token_id=0, **sizes
    )
    return LlamaForCausalLM(config).to(torch.float32).eval()


@pytest.fixture(scope="module")
def target():
    return model(0)


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_text_is_the_target_s_own_whoever_drafts(target, width, seed):
    wanted = alone(target, PROMPT, 40, {1})
    found = speculate(target, model(seed, layers=1 + (seed == 0)), PROMPT, width, 40, {1})
    assert found.tokens == wanted and 0 < len(wanted) <= 40
    assert 0 <= found.accepted <= found.proposed and found.passes <= len(wanted)
    assert len(wanted) in (found.accepted + found.passes, found.accepted + found.passes - 1)


def test_a_draft_that_is_the_target_is_always_right(target):
    found = speculate(target, target, PROMPT, 4, 41, set())
    assert found.accepted == found.proposed == 32 and found.passes == 9 and len(found.tokens) == 41


def test_an_ending_token_ends_the_text_also_within_a_step(target):
    text = alone(target, PROMPT, 40, set())
    for place in (0, 2, 7):
        end = {text[place]}
        wanted = alone(target, PROMPT, 40, end)
        assert speculate(target, target, PROMPT, 5, 40, end).tokens == wanted
        assert speculate(target, model(3), PROMPT, 5, 40, end).tokens == wanted


@pytest.mark.parametrize("limit", [1, 2, 6])
def test_no_more_tokens_than_asked_for(target, limit):
    assert len(speculate(target, target, PROMPT, 5, limit, set()).tokens) == limit


def test_how_many_proposals_agree():
    assert agreed([1, 2, 3], [1, 2, 3, 4]) == 3
    assert agreed([1, 2, 3], [1, 9, 3, 4]) == 1
    assert agreed([], [7]) == 0


def row(tokens=10, proposed=8, accepted=4, passes=6, alone=2.0, seconds=1.0):
    return {
        "tokens": tokens, "proposed": proposed, "accepted": accepted, "passes": passes, "seconds_alone": alone, "seconds": seconds,
        "identical": True,
    }  # fmt: skip


def test_figures_are_means_over_questions():
    found = summary([row(), row(alone=8.0), row(accepted=6, seconds=2.0)])
    assert found["acceptance"]["mean"] == pytest.approx(14 / 24)
    low, high = found["acceptance"]["interval"]
    assert 0 < low < 14 / 24 < high < 1
    assert found["speed_up"]["mean"] == pytest.approx((2 * 8 * 1) ** (1 / 3))
    assert found["speed_up"]["interval"][0] < 2 < found["speed_up"]["interval"][1]
    assert found["tokens_per_pass"] == pytest.approx(30 / 18)
    assert found["tokens_per_second_alone"] == pytest.approx(30 / 12)
    one = summary([row(proposed=0, accepted=0)])
    assert one["acceptance"] is None and one["speed_up"]["interval"] is None


def tokenizer(words):
    raw = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="w0"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="w1", unk_token="w0")
    found.chat_template = (
        "{% for m in messages %}{{ m['content'] }} {% endfor %}{% if add_generation_prompt %}w4{% endif %}"
    )
    return found


def manifest(folder, name, seed, words=None):
    weights = folder / name / "weights"
    model(seed).save_pretrained(weights)
    tokenizer(words or [f"w{number}" for number in range(WORDS)]).save_pretrained(weights)
    facts = {"name": name, "revision": name, "weights": "weights", "context_length": 256}
    files = {path.name: "" for path in weights.iterdir()}
    (folder / name / "model.json").write_text(json.dumps({**facts, "files": files}))
    return folder / name / "model.json"


@pytest.fixture
def questions(tmp_path):
    rows = []
    for number in range(5):
        problem = f"w{number} w7 w9"
        empty = dict.fromkeys(QUESTIONS.names) | {"domain": "math", "source": "s", "metadata": "{}"}
        rows.append(empty | {"question_id": question_id("math", problem), "problem": problem})
    write_rows(tmp_path / "set/0000.parquet", rows, QUESTIONS, ["question_id"])
    return tmp_path / "set/0000.parquet"


SETTINGS = {
    "target": "large", "draft": "small", "questions": ["set"], "limit": 3, "tokens": 4, "max_tokens": 12, "prompt": "ask",
    "target_dtype": "float32", "draft_dtype": "float32",
    "prompts": {"math": {"system": None, "template": "{{ problem }}", "examples": []}},
    "code": "c", "environment": {},
}  # fmt: skip


def test_by_command(tmp_path, questions, capsys):
    import argparse

    from thoughtline.drafts.cli import register

    large, small = manifest(tmp_path, "large", 0), manifest(tmp_path, "small", 1)
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers(required=True))
    out = tmp_path / "drafts/one/measured.json"
    words = ["measure", "--settings", json.dumps(SETTINGS), "--target", large, "--draft", small]
    args = parser.parse_args([str(each) for each in [*words, "--questions", questions, "--out", out]])
    assert guarded(args.run, args) == 0
    found = read_json(out)
    assert found["questions"] == len(found["by_question"]) == 3 and found["identical"] == 1.0
    assert found["tokens_per_second"] > 0 and 0 <= found["acceptance"]["mean"] <= 1
    sidecar = read_json(f"{out}.prov.json")
    assert sidecar["counts"] == {"in": 3, "out": 3, "dropped": {}} and len(sidecar["inputs"]) == 3
    assert "small for large" in capsys.readouterr().out
    again = measure(SETTINGS, large, small, [questions], lambda: None)
    same = ("question_id", "tokens", "proposed", "accepted", "passes")
    assert [[each[key] for key in same] for each in again["by_question"]] == [
        [each[key] for key in same] for each in found["by_question"]
    ]


def test_another_vocabulary_is_refused(tmp_path, questions):
    words = [f"w{number}" for number in range(WORDS)]
    with pytest.raises(UserError, match="drafts: small: has another tokenizer than large"):
        check_vocabularies(tokenizer(words), tokenizer(["w1", "w0", *words[2:]]), ("large", "small"))
    check_vocabularies(tokenizer(words), tokenizer([*words, "more"]), ("large", "small"))
