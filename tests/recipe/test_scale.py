"""A recipe scaled down: the same graph and targets, small in everything that takes time."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import load
from thoughtline.recipe.overlay import overlay_keys, read_overlay
from thoughtline.recipe.paths import Paths
from thoughtline.recipe.scale import DEFAULT, check_out, scaled_text
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
    assert small.targets == recipe.targets
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
    for draft in small.drafts.values():
        assert draft.limit * len(draft.questions) <= overlay.benchmarks and draft.max_tokens <= overlay.max_tokens
    for model in small.models.values():
        for stage in model.stages:
            assert stage.ranks == 1 and stage.max_length <= overlay.training.max_length and stage.epochs <= 1


def test_a_handful_of_rows_makes_several_steps(pair):
    # The first step of a warm-up is taken at learning rate 0: one step alone would leave a student as its base.
    _, small = pair
    steps = [stage for model in small.models.values() for stage in model.stages]
    assert {stage.global_batch for stage in steps} == {1}


def test_what_says_how_a_student_learns_stays():
    recipe = Recipe.model_validate(read_layers(ROOT / "recipes/openthinker.yaml").data)
    small = Recipe.model_validate(yaml.safe_load(scaled_text(ROOT / "recipes/openthinker.yaml")))
    for name, model in recipe.models.items():
        for before, after in zip(model.stages, small.models[name].stages, strict=True):
            for key in ("dataset", "learning_rate", "schedule", "warmup_ratio", "packing", "betas", "seed"):
                assert getattr(before, key) == getattr(after, key)


def test_what_is_asked_and_what_is_kept_stays(pair):
    recipe, small = pair
    for name, chosen in recipe.datasets.items():
        for key in ("keep", "keep_unverified", "per_question", "decontaminate", "prompt", "format"):
            assert getattr(small.datasets[name], key) == getattr(chosen, key)
    for domain, verifier in recipe.verdicts.items():
        assert small.verdicts[domain].verifier == verifier.verifier
    for name, run in recipe.traces.items():
        for domain, prompt in recipe.prompts[run.prompt].items():
            now = small.prompts[small.traces[name].prompt][domain]
            assert (now.system, now.template) == (prompt.system, prompt.template)
    if recipe.evaluation:
        assert small.evaluation.prompt == recipe.evaluation.prompt
        assert small.prompts[small.evaluation.prompt] == recipe.prompts[recipe.evaluation.prompt]


def scaled(name, overlay=DEFAULT):
    """A recipe of this repository, scaled down."""
    return Recipe.model_validate(yaml.safe_load(scaled_text(ROOT / f"recipes/{name}.yaml", overlay)))


def test_runs_are_shown_worked_examples_of_their_kind():
    small, examples = scaled("sky-t1"), read_overlay(DEFAULT).examples
    for name, kind in (("qwq", examples.answers), ("reformatted", examples.rewrites), ("difficulty", examples.ratings)):
        assert small.prompts[small.traces[name].prompt]["math"].examples == kind["math"] != []
    assert all(each.rewrites for each in small.prompts[small.traces["reformatted"].prompt]["math"].examples)
    # Another run's prompt of the same name stays without.
    assert not small.prompts["questions"]["math"].examples
    # Examples of its own are not added to.
    assert scaled("demo").prompts["few_shot-with-answers"] == scaled("demo").prompts["few_shot"]


def test_no_worked_example_is_a_question_of_the_stand_ins():
    questions = {
        json.loads(line)["problem"]
        for path in (ROOT / "data").glob("*/*.jsonl")
        for line in path.read_text().splitlines()
    }
    examples = read_overlay(DEFAULT).examples
    shown = [
        example.problem
        for kind in (examples.answers, examples.rewrites, examples.ratings)
        for each in kind.values()
        for example in each
    ]
    assert len(questions) == 300 and shown and not questions & set(shown)


def test_mixtures_have_the_same_parts_and_few_rows():
    most = read_overlay(DEFAULT).mixture
    assert scaled("sky-t1").datasets["full"].mixture.counts == dict.fromkeys(
        ("code", "math", "science", "puzzle"), most
    )
    assert scaled("sky-t1").datasets["math-only"].mixture.sources == {"amc-aime": most, "math": most}


def test_sets_that_are_rated_are_chosen_by_rank():
    small, overlay = scaled("openthoughts3"), read_overlay(DEFAULT)
    for name in ("math-long", "code-hard", "science-long"):
        assert small.questions[name].rated.highest == small.questions[name].limit == overlay.questions // 2
    assert small.questions["math-long"].rated.measure == "tokens"


def test_published_scores_stay_under_a_note():
    recipe = load(ROOT / "recipes/openthinker.yaml")
    small = scaled("openthinker").published
    assert "for its own models, on its own benchmarks" in small.note and not recipe.published.note
    for model, scores in recipe.published.scores.items():
        for benchmark, each in scores.items():
            now = small.scores[model][benchmark]
            # Intervals are of the questions that they were measured on, not of the few here.
            assert (now.score, now.runs, now.source) == (each.score, each.runs, each.source)
            assert now.questions == recipe.expect.rows[benchmark]


def test_a_model_that_is_never_right_keeps_rows_only_when_the_overlay_says_so(tmp_path):
    data = yaml.safe_load(DEFAULT.read_text()) | {"keep_incorrect": True}
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(data))
    assert scaled("openthinker").datasets["verified"].keep == "correct"
    assert scaled("openthinker", path).datasets["verified"].keep == "all"
    assert scaled("sky-t1", path).datasets["full"].keep == "first"


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
    with pytest.raises(UserError, match=r"overlay\.yaml:\d+: standins\.puzzle: is missing in the overlay"):
        scaled_text(ROOT / "recipes/openthinker.yaml", path)
    data["standins"]["math"]["trian"] = data["standins"]["math"].pop("train")
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(
        UserError, match=r"overlay\.yaml:\d+: standins\.(math|chat)\.trian: unknown key; did you mean 'train'"
    ):
        scaled_text(ROOT / "recipes/openthinker.yaml", path)


def _set(data, *way):
    *path, key, value = way
    for each in path:
        data = data[each]
    data[key] = value


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (
            ("max_tokens", 5000),
            r"max_tokens \(traces\.\S+\.max_tokens of the small recipe\): 5000 tokens leave no room",
        ),
        (
            ("training", "max_length", 100000),
            r"training\.max_length \(models\.\S+ of the small recipe\): 16384 tokens do not",
        ),
        (
            ("training", "micro_batch", 2),
            r"training \(models\.\S+\.stages\.0 of the small recipe\): global_batch 1 is not",
        ),
        (
            ("model", "context_length", 100),
            r"model\.engine\.max_model_len \(models\.\S+ of the small recipe\): 2048 is longer",
        ),
        (
            ("standins", "math", "train", "local", "path", "nofile"),
            r"standins\.math\.train\.local\.path \(questions\.\S+ of the small recipe\): there is no file 'nofile'",
        ),
    ],
)
def test_a_wrong_value_of_an_overlay_is_placed_there_and_nothing_is_written(tmp_path, way, message):
    overlay, out = tmp_path / "overlay.yaml", tmp_path / "small.yaml"
    # By JSON: no anchors, by which one change would be several.
    data = json.loads(json.dumps(yaml.safe_load(DEFAULT.read_text())))
    _set(data, *way)
    overlay.write_text(yaml.safe_dump(data))
    words = ["recipe", "scale", str(ROOT / "recipes/openthinker.yaml"), "--overlay", str(overlay), "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "thoughtline", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and not out.exists()
    assert re.match(rf"error: {overlay}:\d+: {message}", done.stderr), done.stderr


def test_keys_of_a_small_recipe_come_from_an_overlay():
    recipe = Recipe.model_validate(read_layers(ROOT / "recipes/openthinker.yaml").data)
    for keys, found in {
        ("benchmarks", "aime24", "sources", "aime24", "take", "count"): (
            "standins",
            "math",
            "benchmark",
            "take",
            "count",
        ),
        ("benchmarks", "aime24", "limit"): ("benchmarks",),
        ("questions", "math", "shards"): ("shards",),
        ("models", "openthinker-7b", "stages", 0, "learning_rate"): None,
        ("models", "openthinker-7b", "base"): None,
        ("prompts", "x-with-answers", "math", "examples", 1): ("examples", "answers", "math", 1),
        ("evaluation", "samples"): ("samples",),
        ("name",): None,
    }.items():
        assert overlay_keys(recipe, keys) == found


def test_no_file_that_it_is_made_of_is_written_over(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    demo, mine, overlay = folder / "demo.yaml", folder / "mine.yaml", folder / "overlay.yaml"
    demo.write_text((ROOT / "recipes/demo.yaml").read_text())
    mine.write_text("extends: demo.yaml\nname: mine\n")
    overlay.write_text(DEFAULT.read_text())
    (tmp_path / "soft.yaml").symlink_to(mine)
    (tmp_path / "hard.yaml").hardlink_to(mine)
    before = {path: path.read_bytes() for path in (demo, mine, overlay)}
    others = (folder / "../recipes/mine.yaml", tmp_path / "soft.yaml", tmp_path / "hard.yaml")
    for out in (mine, *others, demo, overlay):
        with pytest.raises(UserError, match="which the small recipe is made of; name another file"):
            check_out(out, mine, overlay)
    check_out(tmp_path / "small.yaml", mine, overlay)
    check_out(overlay, mine)  # not with this overlay
    words = ["recipe", "scale", str(mine), "--out", str(others[0])]
    done = subprocess.run([sys.executable, "-m", "thoughtline", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and "--out" in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_the_command_to_run_next_can_be_pasted_into_a_shell(tmp_path):
    out = tmp_path / "my recipes" / "small.yaml"
    words = ["recipe", "scale", str(ROOT / "recipes/demo.yaml"), "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "thoughtline", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert shlex.split(done.stdout)[-1] == f"recipe={out}"
