"""containers/images.yaml is good, and a bad one says where, what is wrong and what would be right."""

import pytest
import yaml
from thoughtline.common.environments import ROOT
from thoughtline.common.errors import UserError
from thoughtline.containers.cli import plans
from thoughtline.containers.table import read

IMAGES = ROOT / "containers/images.yaml"


def test_the_table_is_good():
    assert {"data", "verify", "generate", "train"} <= read().images.keys()


MISTAKES = {
    "an unknown key": (lambda d: d.update(image={}), r"images\.yaml:\d+: image: unknown key; did you mean 'images'\?"),
    "a text for a number": (
        lambda d: d.update(epoch="today"),
        r"images\.yaml:\d+: epoch: 'today' is not a whole number",
    ),
    "a base without a digest": (
        lambda d: d["variants"]["cuda"].update(docker="docker.io/library/debian:12"),
        r"variants\.cuda\.docker: .* cannot stand here; an image of a registry by its digest",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_explained(tmp_path, name):
    edit, message = MISTAKES[name]
    data = yaml.safe_load(IMAGES.read_text())
    edit(data)
    (tmp_path / "images.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(UserError, match=message):
        read(tmp_path / "images.yaml")


def test_a_variant_stands_on_its_preferred_base_unless_another_is_asked_for():
    table = read()
    (chosen,) = plans(table, "cuda", ["train"])
    assert chosen.variant.docker and chosen.variant.debian is None
    (other,) = plans(table, "cuda", ["train"], "debian")
    assert other.variant.debian and other.variant.docker is None
    assert other.key != chosen.key
    with pytest.raises(UserError, match=r"--base: variant cpu cannot stand on 'docker'; one of debian"):
        plans(table, "cpu", [], "docker")
