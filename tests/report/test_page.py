"""The page as a document: well formed, self-contained, safe, the same each time."""

import re
import shutil

from report_page import Page
from report_tree import INJECTION, RECIPE, Tree
from thoughtline.common.files import read_json, write_json
from thoughtline.report.write import SECTIONS


def without_times(html: str) -> str:
    return re.sub(r'<section id="times">.*?</section>', "", html, flags=re.DOTALL)


def test_page_is_well_formed(page):
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert {anchor for anchor, _ in SECTIONS} <= set(page.ids)


def test_links_lead_somewhere(page, run):
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (run.root / "report" / link).is_file()


def test_references_inside_plots_resolve(page):
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page.html)
    assert {one or other for one, other in used} <= set(page.ids)


def test_page_loads_nothing(page):
    assert page.loads == []
    assert not {"script", "iframe", "object", "embed", "img", "form"} & set(page.tags)
    assert "default-src 'none'" in page.html


def test_all_plots_are_there_and_named(page):
    assert page.tags.count("svg") == 8
    assert page.html.count('role="img" aria-label=') == 8
    assert "var(--ink)" in page.html and not re.search(r"#0[1-9]0[1-9]0[1-9]|#0a000\d", page.html)


def test_page_is_small(page):
    assert len(page.html.encode()) < 3_000_000


def test_hostile_text_stays_text(tmp_path, written):
    tree = Tree(tmp_path / "tiny", questions=4, text=INJECTION)
    tree.everything()
    recipe = {**RECIPE, "title": f"Title {INJECTION}", "description": INJECTION}
    page = Page(written(tree, recipe))
    assert page.faults == [] and page.loads == []
    assert not {"script", "img"} & set(page.tags)
    assert "<script>alert('x')</script>" in page.text
    assert "\x07" not in page.html


def test_same_files_give_the_same_bytes(run, written, tmp_path):
    shutil.copytree(run.root, tmp_path / "tiny")
    tree = Tree(tmp_path / "tiny")
    assert written(tree) == (run.root / "report" / "index.html").read_text(encoding="utf-8")


def test_times_are_in_their_section_only(run, written, tmp_path):
    shutil.copytree(run.root, tmp_path / "tiny")
    tree = Tree(tmp_path / "tiny")
    before = written(tree)
    for path in tree.root.rglob("*.prov.json"):
        path.write_text(path.read_text().replace("2025-02-03T04", "2025-03-04T03"))
    for path in [*tree.root.rglob("training.json"), *tree.root.rglob("*.tsv")]:
        path.write_text(path.read_text().replace("151.5", "99.5").replace("264.5", "199.0").replace("59.1", "77.7"))
    for path in tree.root.rglob("training.json.prov.json"):
        facts = read_json(path)
        write_json(path, {**facts, "artifact": {**facts["artifact"], "sha256": "ab" * 32, "bytes": 7}})
    after = written(tree)
    assert after != before
    assert without_times(after) == without_times(before)
