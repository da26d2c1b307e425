"""A recipe scaled down: the same graph and targets, small in everything that takes time."""

from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.scale import DEFAULT, read_overlay, scaled_text
from thoughtline.recipe.schema.recipe import Recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.fixture(params=RECIPES, ids=lambda path: path.stem)
def pair(request, tmp_path):
    """A recipe, and the same scaled down."""
    path = tmp_path / "small.yaml"
    path.write_text(scaled_text(request.param))
    return load(request.param), load(path)


def test_the_graph_and_the_targets_stay(pair):
    recipe, small = pair
    assert small.targets == recipe.targets and small.prompts == recipe.prompts
    for kind in ("models", "questions", "benchmarks", "traces", "datasets", "verdicts"):
        assert getattr(small, kind).keys() == getattr(recipe, kind).keys()

    def graph(each):
        paths = Paths(each, "results")
        inputs = [path for path in paths.report_inputs() if "/agreement/" not in path]
        inputs += [
            path for name in paths.datasets_in_use() for found in paths.dataset_inputs(name).values() for path in found
        ]
        return {
            path.removeprefix(f"results/{each.name}/")
            for path in inputs
            if not path.endswith(("1.parquet", "2.parquet"))
        }

    assert {path for path in graph(small) if path.endswith("0000.parquet")} == {
        path for path in graph(recipe) if path.endswith("0000.parquet")
    }
    assert {path for path in graph(small) if not path.endswith(".parquet")} == {
        path for path in graph(recipe) if not path.endswith(".parquet")
    }


def test_nothing_comes_from_the_network(pair):
    _, small = pair
    assert Paths(small, "results").needs() == {}
    assert not any(model.endpoint for model in small.models.values())


def test_everything_that_takes_time_is_small(pair):
    _, small = pair
    overlay = read_overlay(DEFAULT)
    for chosen in small.questions.values():
        assert chosen.limit <= overlay.questions and chosen.shards <= overlay.shards
    for chosen in small.benchmarks.values():
        assert chosen.limit <= overlay.benchmarks and chosen.shards <= overlay.shards
    for run in small.traces.values():
        assert run.samples <= overlay.samples and run.sampling.max_tokens <= overlay.max_tokens
    for model in small.models.values():
        for stage in model.stages:
            assert stage.ranks == 1 and stage.max_length <= overlay.training.max_length and stage.epochs <= 1


def test_what_says_how_a_student_learns_stays():
    recipe = Recipe.model_validate(read_layers(ROOT / "recipes/openthinker.yaml").data)
    small = Recipe.model_validate(yaml.safe_load(scaled_text(ROOT / "recipes/openthinker.yaml")))
    for name, model in recipe.models.items():
        for before, after in zip(model.stages, small.models[name].stages, strict=True):
            for key in ("dataset", "learning_rate", "schedule", "warmup_ratio", "packing", "betas", "seed"):
                assert getattr(before, key) == getattr(after, key)


def test_the_same_recipe_gives_the_same_text():
    path = ROOT / "recipes/openthinker.yaml"
    assert scaled_text(path) == scaled_text(path)
    assert str(ROOT) not in scaled_text(path)


def test_stand_ins_of_two_sources_differ():
    small = Recipe.model_validate(yaml.safe_load(scaled_text(ROOT / "recipes/openthinker.yaml")))
    takes = [source.take.seed for source in small.questions["code"].sources.values()]
    assert len(set(takes)) == len(takes) > 1


def test_an_overlay_without_the_domain(tmp_path):
    data = yaml.safe_load(DEFAULT.read_text())
    del data["standins"]["puzzle"]
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=r"standins\.puzzle: is missing in the overlay"):
        scaled_text(ROOT / "recipes/openthinker.yaml", path)
    data["standins"]["math"]["trian"] = data["standins"]["math"].pop("train")
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(
        UserError, match=r"overlay\.yaml:\d+: standins\.(math|chat)\.trian: unknown key; did you mean 'train'"
    ):
        scaled_text(ROOT / "recipes/openthinker.yaml", path)
