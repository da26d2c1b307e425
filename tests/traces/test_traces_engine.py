import pytest
from thoughtline.common.errors import UserError
from thoughtline.traces.engine import engine_options, node_options, option, revision_text, with_sizes
from thoughtline.traces.server import Installed, server_environment

ENGINE = {
    "dtype": "float32",
    "max_model_len": 4096,
    "reasoning_parser": None,
    "quantization": None,
    "chunked_prefill": False,
}


def test_cpu():
    found = engine_options({**ENGINE, "arguments": {"max_num_seqs": 64}}, on_cpu=True)
    assert found == [
        *("--dtype", "float32", "--max-model-len", "4096", "--no-enable-chunked-prefill"),
        *("--max-num-batched-tokens", "8192", "--enforce-eager", "--block-size", "32"),
        *("--max-num-seqs", "64"),
    ]


def test_gpu_leaves_defaults():
    engine = {"dtype": "auto", "reasoning_parser": "deepseek_r1", "chunked_prefill": True, "arguments": {}}
    assert engine_options(engine, on_cpu=False) == ["--dtype", "auto", "--reasoning-parser", "deepseek_r1"]
    assert engine_options({}, on_cpu=False) == ["--dtype", "auto"]


def test_a_batch_holds_the_longest_prompt_without_chunked_prefill():
    found = engine_options({**ENGINE, "max_model_len": 32768}, on_cpu=False)
    assert found[found.index("--max-num-batched-tokens") + 1] == "32768"


@pytest.mark.parametrize("name", ["max_num_batched_tokens", "block_size", "max-num-batched-tokens"])
def test_own_arguments_win(name):
    own = engine_options({**ENGINE, "arguments": {name: 99}}, on_cpu=True)
    flag = f"--{name.replace('_', '-')}"
    assert own.count(flag) == 1 and own[own.index(flag) + 1] == "99"


def test_forms():
    assert option("enable_prefix_caching", False) == ["--no-enable-prefix-caching"]
    assert option("rope_scaling", {"b": 1, "a": 2}) == ["--rope-scaling", '{"a":2,"b":1}']
    assert option("allowed_origins", ["a", "b"]) == ["--allowed-origins", "a", "b"]
    assert option("seed", None) == []
    with pytest.raises(UserError, match=r"engine\.arguments\.port"):
        option("port", 1)


@pytest.mark.parametrize("name", ["pipeline_parallel_size", "pipeline-parallel-size"])
def test_pipeline_parallel_models_have_a_worker_of_their_own_on_cpu(name):
    ours = ["--worker-cls", "thoughtline.traces.vllm_cpu_worker.PipelineWorker"]
    several, one = ({"arguments": {name: stages}} for stages in (2, 1))
    assert ours[0] not in engine_options(several, False) + engine_options(one, True)
    found = engine_options(several, True)
    assert found[found.index(ours[0]) :][:2] == ours


def test_revision_depends_on_weights_and_engine():
    assert len({revision_text("a", {}), revision_text("b", {}), revision_text("a", ENGINE)}) == 3


def test_sizes_chosen_for_the_machine_join_the_recipes_arguments():
    assert with_sizes({"dtype": "auto", "arguments": {"max_num_seqs": 8}}, 4, 2)["arguments"] == {
        **{"max_num_seqs": 8, "tensor_parallel_size": 4},
        "pipeline_parallel_size": 2,
    }
    assert with_sizes(ENGINE, None, None) == ENGINE


def test_several_nodes_share_tensor_and_pipeline_parallel_workers():
    engine = {"arguments": {"tensor-parallel-size": 4, "pipeline_parallel_size": 2}}
    assert node_options(engine, 2) == [
        *("--nnodes", "2", "--node-rank", "{node_rank}", "--master-addr", "{first_node}"),
        *("--master-port", "{master_port}", "--distributed-executor-backend", "mp"),
    ]
    with pytest.raises(UserError, match=r"tensor_parallel_size 4 x pipeline_parallel_size 2 = 8 workers.*by 3 nodes"):
        node_options(engine, 3)
    with pytest.raises(UserError, match=r"engine\.arguments\.nnodes"):
        option("nnodes", 2)


def test_servers_on_gpus_do_not_compile_a_sampler_that_takes_no_seeds(monkeypatch):
    monkeypatch.delenv("VLLM_USE_FLASHINFER_SAMPLER", raising=False)
    assert server_environment(Installed("gpu", ""))["VLLM_USE_FLASHINFER_SAMPLER"] == "0"
    assert "VLLM_USE_FLASHINFER_SAMPLER" not in server_environment(Installed("cpu", ""))
