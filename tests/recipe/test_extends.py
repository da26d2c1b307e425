"""A recipe that says only in what it differs from another one."""

from pathlib import Path

import pytest
import yaml
from thoughtline.common.errors import UserError
from thoughtline.recipe import settings
from thoughtline.recipe.extends import read_layers
from thoughtline.recipe.load import load

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "recipes/demo.yaml"


@pytest.fixture
def write(tmp_path):
    """write(name, text): a file of the test's folder, in which demo.yaml is linked."""
    (tmp_path / "demo.yaml").symlink_to(DEMO)

    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_only_the_difference_is_given(write):
    own = write("own.yaml", "extends: demo.yaml\nname: own\ntraces: {teacher: {sampling: {temperature: 0.9}}}\n")
    demo, recipe = load(DEMO), load(own)
    assert recipe.name == "own" and recipe.extends is None
    assert recipe.traces["teacher"].sampling.temperature == 0.9
    assert recipe.traces["teacher"].sampling.max_tokens == demo.traces["teacher"].sampling.max_tokens
    same = recipe.model_copy(update={"name": demo.name, "traces": demo.traces})
    assert same == demo
    assert settings.questions(recipe, "math-train") == settings.questions(demo, "math-train")


def test_lists_replace_null_removes_and_replace_replaces(write):
    own = write(
        "own.yaml",
        "extends: demo.yaml\nname: own\n"
        "targets: {evaluate: [smollm2], compare: null}\n"
        "datasets: {verified: {mixture: null, decontaminate: !replace {ngram: 8}}}\n"
        "verdicts: {math: !replace {verifier: exact}}\n",
    )
    recipe = load(own)
    assert recipe.targets.evaluate == ["smollm2"] and recipe.targets.compare == []
    dataset = recipe.datasets["verified"]
    assert dataset.mixture is None and dataset.keep == "first_correct"
    assert (dataset.decontaminate.ngram, dataset.decontaminate.containment) == (8, 0.5)
    assert recipe.verdicts["math"].verifier == "exact"


def test_null_says_something_where_the_schema_lets_it(write):
    own = write(
        "own.yaml",
        "extends: demo.yaml\nname: own\n"
        "datasets: {verified: {decontaminate: {ngram: null, similarity: 95.0, containment: null}}}\n",
    )
    chosen = load(own).datasets["verified"].decontaminate
    assert (chosen.ngram, chosen.similarity, chosen.containment) == (None, 95, 0.5)  # 0.5 is the key's default
    again = write("again.yaml", "extends: own.yaml\nname: again\ndatasets: {verified: {decontaminate: {ngram: 8}}}\n")
    assert load(again).datasets["verified"].decontaminate.ngram == 8
    further = write("further.yaml", "extends: own.yaml\nname: further\n")
    assert load(further).datasets["verified"].decontaminate.ngram is None


def test_an_item_of_a_list_is_changed_by_its_number(write):
    own = write(
        "own.yaml",
        "extends: demo.yaml\nname: own\n"
        "models: {verified: {stages: {0: {learning_rate: 2.0e-5}}}}\n"
        "targets: {compare: {1: {title: Other}}}\n",
    )
    demo, recipe = load(DEMO), load(own)
    (before,), (after,) = demo.models["verified-seed1"].stages, recipe.models["verified-seed1"].stages
    assert after.learning_rate == 2.0e-5 != before.learning_rate
    assert after == before.model_copy(update={"learning_rate": 2.0e-5})
    assert recipe.models["unverified-seed1"] == demo.models["unverified-seed1"]
    other = demo.targets.compare[1].model_copy(update={"title": "Other"})
    assert recipe.targets.compare == [demo.targets.compare[0], other, *demo.targets.compare[2:]]
    write("middle.yaml", "extends: own.yaml\nname: middle\nmodels: {verified: {stages: {0: {epochs: 1}}}}\n")
    (chained,) = load(own.with_name("middle.yaml")).models["verified-seed1"].stages
    assert (chained.learning_rate, chained.epochs) == (2.0e-5, 1)


def test_a_chain_of_recipes(write):
    write("middle.yaml", "extends: demo.yaml\nname: middle\nseed: 5\ntitle: Middle\n")
    recipe = load(write("own.yaml", "extends: middle.yaml\nname: own\ntitle: Own\n"))
    assert (recipe.name, recipe.seed, recipe.title) == ("own", 5, "Own")


def line(path, text):
    return next(n for n, each in enumerate(path.read_text().splitlines(), 1) if text in each)


def told(path):
    """What is wrong with a recipe."""
    with pytest.raises(UserError) as error:
        load(path)
    return str(error.value)


def test_a_mistake_is_shown_where_it_was_written(write, tmp_path):
    write("base.yaml", DEMO.read_text().replace("samples: 4", "samples: -4"))
    number = line(tmp_path / "base.yaml", "samples: -4")
    own = write("own.yaml", "extends: base.yaml\nname: own\ntraces:\n  teacher:\n    prompt: few_shot\n")
    assert told(own).startswith(f"{tmp_path}/base.yaml:{number}: traces.teacher.samples")
    own = write("own.yaml", "extends: demo.yaml\nname: own\ntraces:\n  teacher:\n    samples: -4\n")
    assert told(own).startswith(f"{own}:5: traces.teacher.samples")
    own = write(
        "own.yaml", "extends: base.yaml\nname: own\nmodels:\n  verified:\n    stages:\n      0: {learning_rate: -1}\n"
    )
    write("base.yaml", DEMO.read_text())
    assert told(own).startswith(f"{own}:6: models.verified.stages.0.learning_rate")
    write("base.yaml", DEMO.read_text().replace("learning_rate: ", "learning_rate: -", 1))
    number = line(tmp_path / "base.yaml", "learning_rate: -")
    own = write("own.yaml", "extends: base.yaml\nname: own\nmodels: {verified: {stages: {0: {epochs: 1}}}}\n")
    assert told(own).startswith(f"{tmp_path}/base.yaml:{number}: models.verified.stages.0.learning_rate")


def test_what_keys_say_together_is_shown_where_the_key_was_written(write, tmp_path):
    number = line(tmp_path / "demo.yaml", "questions: [math-train")
    own = write("own.yaml", "extends: demo.yaml\nname: own\nquestions:\n  math-train: null\n")
    assert told(own).startswith(f"{tmp_path}/demo.yaml:{number}: traces.teacher.questions: there is no")
    own = write("own.yaml", "extends: demo.yaml\nname: own\nmodels:\n  verified:\n    stages: null\n")
    assert told(own).startswith(f"{own}:4: models.verified: `base` without `stages`")


def test_a_key_that_an_anchor_brings_in_has_a_line(tmp_path):
    text = DEMO.read_text().replace("learning_rate: 1.0e-4", "learning_rate: 7.0")
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    data = yaml.safe_load(text)
    assert data["models"]["unverified"]["stages"][0]["learning_rate"] == 7.0
    number = line(path, "learning_rate: 7.0")
    place = read_layers(path).place(("models", "unverified", "stages", 0, "learning_rate"))
    assert place == f"{path}:{number}: models.unverified.stages.0.learning_rate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: demo.yaml\ntitle: x\n", r"own\.yaml: name: is that of the recipe that it extends, 'demo'"),
        ("extends: demo.yaml\nname: demo\n", r"own\.yaml:2: name: is that of the recipe that it extends"),
        ("extends: none.yaml\nname: x\n", r"own\.yaml:1: extends: there is no file '.*none\.yaml'"),
        ("extends: own.yaml\nname: x\n", r"own\.yaml:1: extends: goes in a circle: own\.yaml -> own\.yaml"),
        ("extends: 3\nname: x\n", r"own\.yaml:1: extends: 3 is no path"),
        (
            "extends: demo.yaml\nname: x\nmodels:\n  verified:\n    stages:\n      1: {epochs: 1}\n",
            r"own\.yaml:6: models\.verified\.stages\.1: there is no such item in the list that it changes .*known items: 0;",
        ),
        (
            "extends: demo.yaml\nname: x\nmodels: {verified: {stages: {0: null}}}\n",
            r"own\.yaml:3: models\.verified\.stages\.0: an item of a list cannot be removed",
        ),
        ("extends: demo.yaml\nname: x\nseed: !replace 3\n", r"own\.yaml:3: !replace is for mappings"),
    ],
)
def test_mistakes_of_extending(write, text, message):
    with pytest.raises(UserError, match=message) as error:
        load(write("own.yaml", text))
    assert "\n" not in str(error.value)


def test_a_circle_of_two(write):
    write("one.yaml", "extends: two.yaml\nname: one\n")
    with pytest.raises(UserError, match=r"one\.yaml:1: extends: goes in a circle: two\.yaml -> one\.yaml -> two\.yaml"):
        load(write("two.yaml", "extends: one.yaml\nname: two\n"))
