"""What is chosen where a recipe leaves it to the machine: GPUs of a server, ZeRO settings of a training."""

from pathlib import Path

import pytest
from thoughtline.machines.demands import Demands
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import Placer
from thoughtline.models.configure import ZERO, zero_of
from thoughtline.plan import memory
from thoughtline.plan.architecture import known
from thoughtline.plan.generation import Serving, cheapest, holding, spreads
from thoughtline.plan.layout import Layout, Sizes
from thoughtline.plan.rates import Gpu
from thoughtline.recipe import settings
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import parse
from thoughtline.recipe.schema.training import Zero

RECIPE = Path(__file__).parents[2] / "recipes/openthinker.yaml"
A100 = Gpu(312e12, 1555e9, 65536 * 2**20, 4)


def recipe_with(arguments=None, zero="auto", **stage):
    data = read_layers(RECIPE).data
    for name, model in data["models"].items():
        if "engine" in model:
            model["engine"] = {**model["engine"], "arguments": dict(arguments or {})}
        if "stages" in model:
            stages = [{**each, "zero": zero, **stage} for each in model["stages"]]
            data["models"][name] = {**model, "stages": stages}
    return parse(data, RECIPE)


def layout(machine, recipe=None, concurrency=64):
    site = load_machine(machine)
    return Layout(recipe or recipe_with(), site, Placer(site), concurrency)


@pytest.mark.parametrize(
    ("machine", "model", "sizes"),
    [
        ("leonardo", "qwen2.5-7b-instruct", (1, 1)),
        ("leonardo", "openthinker-7b", (1, 1)),
        ("leonardo", "openthinker-32b", (4, 1)),
        ("leonardo", "deepseek-r1", (4, 4)),
        ("p5", "deepseek-r1", (8, 2)),
        ("p5", "openthinker-32b", (4, 1)),
    ],
)
def test_servers_of_a_release(machine, model, sizes):
    assert layout(machine).sizes(model)[:2] == sizes


def test_the_choice_is_the_fewest_gpus_that_keep_nearly_the_best_rate():
    ways = holding(known()["qwen2.5-32b"], A100, 32768)

    def chosen(in_flight):
        return cheapest(ways, A100, 32768, in_flight)

    for in_flight in (1, 8, 64, 256):
        rates = {each.gpus: each.roofline(A100, in_flight, 8192) / each.gpus for each in ways}
        assert rates[chosen(in_flight).gpus] >= 0.9 * max(rates.values())
        fewer = (rate for gpus, rate in rates.items() if gpus < chosen(in_flight).gpus)
        assert all(rate < 0.9 * max(rates.values()) for rate in fewer)
    assert chosen(1).gpus < chosen(256).gpus
    assert holding(known()["deepseek-ai/DeepSeek-R1"], A100, 40960, most_nodes=3) == []
    assert cheapest([], A100, 40960, 64) is None


def test_engine_settings_that_take_more_or_less_memory_count():
    site = load_machine("leonardo")
    model, known_as = "openthinker-32b", known()["qwen2.5-32b"]

    def server(arguments=None, **engine):
        data = read_layers(RECIPE).data
        data["models"]["qwen2.5-32b-instruct"]["engine"] = {**engine, "arguments": arguments or {}}
        return Layout(parse(data, RECIPE), site, Placer(site)).server(model, known_as, Sizes(4))

    plain = server(dtype="bfloat16").context(A100)
    assert server(dtype="float32").context(A100) < plain / 2
    assert server(dtype="bfloat16", quantization="fp8").context(A100) > 1.1 * plain
    assert server({"kv_cache_dtype": "fp8"}, dtype="bfloat16").context(A100) == pytest.approx(2 * plain)
    assert server({"gpu-memory-utilization": 0.45}, dtype="bfloat16").context(A100) < plain / 2


def test_servers_over_nodes_fill_them():
    for each in spreads(known()["qwen2.5-7b"], 8, 4):  # 28 heads: four share them, eight cannot
        assert each.gpus <= 4 or each.gpus % 8 == 0
        assert 28 % each.tensor == 0
    assert Serving(known()["qwen2.5-7b"], 4, 4).gpus in {each.gpus for each in spreads(known()["qwen2.5-7b"], 8, 4)}


def test_a_recipe_that_gives_sizes_has_them():
    own = layout("leonardo", recipe_with({"tensor-parallel-size": 2}))
    assert own.sizes("openthinker-32b") == Sizes(2) and own.chosen("openthinker-32b") is None
    assert own.server_words("openthinker-32b") == ""
    assert layout("leonardo").server_words("openthinker-32b") == "--tensor-parallel 4 --pipeline-parallel 1"


def test_a_judge_stays_on_one_node_where_it_fits_there():
    site, own = load_machine("leonardo"), recipe_with()
    judge = {"verifier": "judge", "model": "qwen2.5-32b-instruct", "template": "{{ answer }} {{ reference }}"}
    data = read_layers(RECIPE).data
    data["verdicts"] |= {"math": judge}
    data["models"]["qwen2.5-32b-instruct"]["engine"] = {"dtype": "bfloat16"}
    judging = parse(data, RECIPE)
    for machine in ("leonardo", "p5"):
        site = load_machine(machine)
        assert (
            Layout(judging, site, Placer(site), 256).gpus("qwen2.5-32b-instruct")
            <= site.nodes[next(iter(site.nodes))].gpus
        )
    # Where it does not judge it gets more.
    assert layout("leonardo", own, 256).gpus("qwen2.5-32b-instruct") > 4


def test_memory_decides_where_nobody_wrote_down_the_speed():
    site = load_machine("leonardo")
    nodes = {name: node.model_copy(update={"gpu_speed": None}) for name, node in site.nodes.items()}
    slow = site.model_copy(update={"nodes": nodes})
    own = Layout(recipe_with(), slow, Placer(slow))
    for model in ("deepseek-r1", "openthinker-32b", "openthinker-7b"):
        assert own.sizes(model) == layout("leonardo").sizes(model)
    assert own.zero("openthinker-32b") == layout("leonardo").zero("openthinker-32b")


def test_nothing_is_chosen_where_nothing_is_known():
    assert layout("local").sizes("deepseek-r1") == Sizes() and layout("local").server_words("deepseek-r1") == ""
    assert layout("local").zero("openthinker-32b") == Zero()


def test_a_choice_is_no_part_of_what_jobs_are_compared_by():
    recipe = recipe_with()
    assert settings.traces(recipe, "r1", "math")["engine"]["arguments"] == {}
    assert settings.train(recipe, "openthinker-7b")["zero"] == "auto"
    site = load_machine("leonardo")
    found = Demands(recipe, site, layout("leonardo").gpus)
    assert found.traces("r1", "math").gpus == 16 and found.traces("openthinker-32b", "math500").gpus == 4


@pytest.mark.parametrize(
    ("model", "ranks", "zero"),
    [
        ("openthinker-7b", 32, Zero(stage=1)),
        ("openthinker-32b", 32, Zero(stage=3)),
        ("openthinker-32b", 8, Zero(stage=3, offload_optimizer=True)),
    ],
)
def test_zero_is_the_fastest_that_fits(model, ranks, zero):
    own = layout("leonardo", recipe_with(ranks=ranks, global_batch=96))
    assert own.zero(model) == own.chosen_zero(model) == zero
    word = own.training_words(model).removeprefix("--zero ")
    assert word in ZERO and Zero(**zero_of(word)) == zero


def test_every_choice_has_a_word_for_the_command():
    assert [Zero(**zero_of(word)) for word in ZERO] == list(memory.settings())
