"""What stays on disk, the most that lies there at once, and what to do about a quota."""

import re

import pytest
from test_done import planned as planned_in
from test_planner import ROOT, line, planned
from thoughtline.common.files import write_json
from thoughtline.machines.load import load_machine
from thoughtline.machines.place import Placer
from thoughtline.plan import storage
from thoughtline.plan.done import Done
from thoughtline.plan.plan import Line
from thoughtline.plan.planner import Planner
from thoughtline.plan.show import text
from thoughtline.recipe.load import load
from thoughtline.recipe.paths import Paths

DEMO, SKY = load(ROOT / "recipes/demo.yaml"), load(ROOT / "recipes/sky-t1.yaml")
SMOLLM2 = 134.515e6
QWEN_32B = 32.76e9


def on(site, folder, recipe=SKY):
    return Planner(recipe, site, Paths(recipe, str(folder)), Placer(site), Done(Paths(recipe, str(folder)))).plan()


def with_areas(**changes):
    """Leonardo with other keys of its areas."""
    site = load_machine("leonardo")
    areas = {name: area.model_copy(update=changes.get(name, {})) for name, area in site.storage.items()}
    return site.model_copy(update={"storage": areas})


def test_checkpoints_of_one_training_at_a_time_count_on_one_machine(tmp_path):
    (area,) = planned(DEMO, "local", tmp_path).areas
    # Base and four students in float32; a checkpoint at the eighth of 12 steps, and the weights in the work folder.
    assert area.kept == pytest.approx(5 * 4 * SMOLLM2, rel=0.02)
    assert area.peak == pytest.approx(area.kept + (12 + 4) * SMOLLM2, rel=0.02)


def test_what_is_done_needs_no_checkpoints(tmp_path):
    before = planned(DEMO, "local", tmp_path).areas[0]
    for name in ("verified-seed1", "verified-seed2", "unverified-seed1", "unverified-seed2"):
        write_json(tmp_path / f"demo/models/{name}/model.json", {})
    after = planned(DEMO, "local", tmp_path)
    assert after.areas[0].peak == after.areas[0].kept == before.kept
    assert re.search(
        r"^storage: results and stage \(\.\): 2\.\d+GB stay, 2\.\d+GB at the peak$", text(after), re.MULTILINE
    )


def test_a_cluster_may_train_all_at_once_that_do_not_wait_for_each_other(tmp_path):
    plan = planned(SKY, "leonardo", tmp_path)
    area = next(area for area in plan.areas if area.name == "work")
    trained = [each for each in plan.lines if each.key[0] == "train"]
    # Three checkpoints of the optimiser's state each, under ZeRO-3, while the oldest is about to go.
    assert line(plan, "train", "sky-t1").temporary == pytest.approx(3 * 12 * QWEN_32B, rel=0.02)
    assert area.peak - area.kept == pytest.approx(sum(each.temporary for each in trained))
    assert area.kept == pytest.approx(2 * QWEN_32B * (len(trained) + 2), rel=0.1)
    assert area.over and plan.as_json()["storage"][0]["peak_bytes"] == area.peak
    write_json(tmp_path / f"sky-t1/models/{trained[0].key[1][0]}/model.json", {})
    fewer = next(area for area in planned_in(SKY, "leonardo", tmp_path).areas if area.name == "work")
    assert fewer.kept == area.kept and fewer.peak == pytest.approx(area.peak - trained[0].temporary)


def chain(*edges, **sizes):
    """Lines of these sizes; an edge "ab" lets b wait for a."""
    after = {name: tuple(("train", (a,)) for a, b in edges if b == name) for name in sizes}
    return [Line(("train", (name,)), after[name], temporary=size) for name, size in sizes.items()]


def test_of_stages_in_turn_the_largest_counts():
    assert storage.temporary(chain("ab", "bc", a=1, b=5, c=2), serial=False) == 5
    assert storage.temporary(chain("ab", "ac", a=4, b=3, c=2), serial=False) == 5
    assert storage.temporary(chain("ab", "cd", a=4, b=3, c=2, d=9, e=1), serial=False) == 14
    assert storage.temporary(chain("ab", a=4, b=3, c=2), serial=True) == 4
    # A job between them that needs nothing, and one that is done.
    lines = chain("ab", "bc", a=4, b=0, c=3)
    lines[1].left = 0
    assert storage.temporary(lines, serial=False) == 4


def test_a_great_many_trainings_are_added_up_at_once():
    names = [f"{number:02d}" for number in range(60)]
    lines = [Line(("train", (name,)), temporary=1.0) for name in names]
    lines += [Line(("train", (f"after {name}",)), (("train", (name,)),), temporary=2.0) for name in names]
    assert storage.temporary(lines, serial=False) == 120


def advice(site, folder, recipe=SKY):
    plan = on(site, folder, recipe)
    (words,) = (each for each in plan.exceeded if each.startswith("storage work"))
    return words


def test_what_is_advised_about_a_quota_is_enough(tmp_path):
    words = advice(load_machine("leonardo"), tmp_path)
    assert "put `results` (config) below $SCRATCH (20,000 GB, but what lies there for 40 days is deleted)" in words
    assert "fewer targets" not in words  # each training takes more than the quota by itself
    followed = with_areas(work={"holds": ["stage"]}, scratch={"holds": ["results"]})
    assert not [each for each in on(followed, tmp_path).exceeded if each.startswith("storage")]
    # With the stage there already the same must still be done.
    words = advice(with_areas(work={"holds": ["results"]}, scratch={"holds": ["stage"]}), tmp_path)
    assert "put `results` (config)" in words and "`stage`" not in words


def test_an_area_that_is_no_help_is_not_named(tmp_path):
    words = advice(with_areas(scratch={"size_gb": 100}), tmp_path)
    assert words.endswith("are more than the quota of 1,000 GB; ask for more")


def test_targets_that_have_room_by_themselves_are_named(tmp_path):
    recipe = load(ROOT / "recipes/openthinker.yaml")
    words = advice(load_machine("leonardo"), tmp_path, recipe)
    assert "name fewer targets (openthinker-7b has room by itself)" in words
    targets = recipe.targets.model_copy(update={"evaluate": ["openthinker-7b"]})
    alone = on(load_machine("leonardo"), tmp_path, recipe.model_copy(update={"targets": targets}))
    assert not any(words.startswith("storage") for words in alone.exceeded)


def test_staged_weights_are_linked_in_one_area_and_copied_between_two(tmp_path):
    together = on(load_machine("leonardo"), tmp_path)
    apart = on(with_areas(work={"holds": ["results"]}, scratch={"holds": ["stage"]}), tmp_path)
    size = sum(line.bytes.get("stage", 0) for line in together.lines)
    assert [area.kept for area in apart.areas] == pytest.approx([together.areas[0].kept, size])
    assert line(together, "fetch", "qwq-32b-preview").bytes.keys() == {"stage"}
