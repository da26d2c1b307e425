"""The page of machines is made from their files and schema."""

from pathlib import Path

from thoughtline.machines.reference import reference_page

ROOT = Path(__file__).parents[2]


def test_the_page_has_not_drifted():
    assert (ROOT / "docs/machines-reference.md").read_text() == reference_page(), "run `make reference`"


def test_every_key_is_described():
    rows = [line for line in reference_page().splitlines() if line.startswith("| `")]
    assert rows
    assert all(line.rstrip("| ").rsplit("|", 1)[1].strip() for line in rows)
