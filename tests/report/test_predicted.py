"""What was predicted of a run stands beside what it took."""

from report_page import Page
from report_tree import Tree
from thoughtline.common.files import write_json


def line(stage, names, hours, left=1, width=1.25):
    total = hours * left
    return {
        "stage": stage, "names": names, "left": left, "hours_a_job": hours, "hours": total, "range": [total / width, total * width],
    }  # fmt: skip


def plan(*lines):
    return {"machine": "local", "rates": "a probe of 2025-02-03", "lines": list(lines)}


def test_a_plan_is_compared_with_the_run(tmp_path, written):
    tree = Tree(tmp_path / "tiny").everything()
    without = written(tree)
    assert "Predicted and measured" not in without
    write_json(
        tree.root / "plan.json",
        plan(
            line("traces", ["teacher", "sums"], 264 / 3600, left=2),  # two shards
            line("traces", ["teacher", "school"], 528 / 3600),
            line("train", ["verified-seed1"], 100 / 3600),
            {**line("scores", ["base", "sums-heldout"], 1.0), "range": None},  # its time was not predicted
            line("traces", ["nobody", "sums"], 1.0),  # predicted, but never run
        ),
    )
    page = Page(written(tree))
    table = {row[0]: row[1:] for row in page.table("jobs", "predicted")}
    # Each trace job of the tree took 264 s, but for one with a benchmark file, which took 264.5 s.
    assert table["traces of teacher"][0] == "17 min 36 s" and table["traces of teacher"][3] == "+33 %"
    assert table["training of verified-seed1"][1] == "1 min 20 s to 2 min 05 s"
    assert list(table)[-1] == "all of these" and len(table) == 3


def test_it_is_in_the_section_of_times_alone(tmp_path, written):
    tree = Tree(tmp_path / "tiny").everything()
    write_json(tree.root / "plan.json", plan(line("traces", ["teacher", "sums"], 0.1)))
    html = written(tree)
    assert html.index('id="times"') < html.index("Predicted and measured") < html.index('id="provenance"')
