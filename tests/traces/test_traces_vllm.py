"""The real thing, slowly: vLLM serves a tiny random model made here (one server start, 20 to 90 s by the machine's load)."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dummy_service import call, command, settings_for, until, write_questions
from thoughtline.common.rows import TRACES, read_rows

pytest.importorskip("vllm", reason="needs the environment `generate`")

ENGINE = {
    "dtype": "float32",
    "max_model_len": 256,
    "reasoning_parser": None,
    "quantization": None,
    "chunked_prefill": False,
    "arguments": {"max_num_seqs": 16},
}
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
SETTINGS = settings_for(None, engine=ENGINE, samples=3)
LINGER = ("--linger", "3", "--start-seconds", "400")


def make_model(folder: Path) -> Path:
    """A random two-layer Llama with a vocabulary of its own; returns its model.json."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([f"What is {n} + {n + 1}? The answer is {2 * n + 1}." for n in range(200)], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder / "weights")
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 32}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256}
    config = LlamaConfig(vocab_size=len(fast), **shape, **heads, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    LlamaForCausalLM(config).save_pretrained(folder / "weights")
    model = {
        "name": "tiny",
        "revision": "sha256:test",
        "kind": "published",
        "weights": "weights",
        "files": {},
        "base": None,
    }
    (folder / "model.json").write_text(json.dumps(model))
    return folder / "model.json"


def session_of(pid: int) -> list[int]:
    """Living processes of the session that `pid` leads: vLLM's server, engine and workers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == pid and " Z " not in (entry / "stat").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_real_server(tmp_path):
    os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"
    model = make_model(tmp_path / "models")
    write_questions(tmp_path / "q1", 8)
    write_questions(tmp_path / "q2", 8, first=4)
    servers = ("--model", str(model), "--servers", str(tmp_path / "servers"), *LINGER)

    # Two jobs start at once and share one server.
    outs = [tmp_path / name / "set" / "0000.parquet" for name in ("a", "b")]
    words = [
        command(SETTINGS, tmp_path / file, out, tmp_path / f"{file}.work", *servers, "--concurrency", many)
        for file, out, many in zip(("q1", "q2"), outs, ("24", "2"), strict=True)
    ]
    jobs = [subprocess.Popen(each, stderr=subprocess.PIPE, text=True) for each in words]
    errors = [job.communicate(timeout=500)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], errors
    details = [json.loads(Path(f"{out}.prov.json").read_text())["details"] for out in outs]
    assert details[0]["server"] == details[1]["server"]
    assert details[0]["server"][:3] == [sys.executable, "-m", "thoughtline.traces.vllm_server"]
    (home,) = [path for path in (tmp_path / "servers").glob("*/*") if path.is_dir()]
    leader = next(pid for pid in map(int, [p.name for p in Path("/proc").glob("[0-9]*")]) if is_server(pid, home))
    assert len(session_of(leader)) == 2  # API server and engine, no third process

    # Rows: random words up to the limit, the same for the same identity whatever ran beside it.
    first, second = (read_rows(out, TRACES) for out in outs)
    assert len(first) == 24 and {row["status"] for row in first} <= {"truncated", "finished"}
    assert all(row["completion_tokens"] == 16 for row in first if row["status"] == "truncated")
    assert len({row["response"] for row in first}) > 20
    by_id = {row["trace_id"]: row for row in second}
    both = [row for row in first if row["trace_id"] in by_id]
    assert len(both) == 4 * 3 and all(row == by_id[row["trace_id"]] for row in both)

    # A third job, without the journal, in another order of arrival: the same bytes.
    again = tmp_path / "c" / "set" / "0000.parquet"
    done = call(command(SETTINGS, tmp_path / "q1", again, tmp_path / "c.work", *servers, "--concurrency", "5"))
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == outs[0].read_bytes()

    # Too long a prompt is that row's failure, no other's.
    long = {
        **SETTINGS,
        "samples": 1,
        "prompt": {"system": "What is " * 300, "template": "{{ problem }}", "examples": []},
    }
    assert call(command(long, tmp_path / "q1", tmp_path / "long", tmp_path / "long.work", *servers)).returncode == 0
    failed = read_rows(tmp_path / "long", TRACES)
    assert {row["status"] for row in failed} == {"failed"} and "HTTP 400" in failed[0]["error"]

    # kill -9 of the last user: nothing is left once the server has lingered.
    endless = {**SETTINGS, "samples": 500, "sampling": {**SETTINGS["sampling"], "max_tokens": 200}}
    words = command(endless, tmp_path / "q1", tmp_path / "d", tmp_path / "d.work", *servers)
    job = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until(
        lambda: (
            (tmp_path / "d.work" / "traces.jsonl").exists()
            and len((tmp_path / "d.work/traces.jsonl").read_bytes()) > 999
        )
    )
    job.kill()
    job.wait()
    started = time.monotonic()
    until(lambda: not session_of(leader), 60)
    assert time.monotonic() - started > 1
    assert not (tmp_path / "d").exists()


def is_server(pid: int, home: Path) -> bool:
    """True for the API server that the keeper of `home` started."""
    state = json.loads((home / "state.json").read_text())
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    return words[: len(state["command"])] == state["command"] and os.getsid(pid) == pid
