"""Images of a machine: checked, or downloaded from where its file says."""

import hashlib

import pytest
from conftest import FIRST, noise
from hub_service import REVISION
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import UserError
from thoughtline.machines.load import load_machine
from thoughtline.machines.schema import PublishedImage
from thoughtline.stage.images import NAMES, stage_images

CONTENT = noise(1, 300_000)


@pytest.fixture
def machine(hub):
    """Leonardo, with the image `data` on the server."""
    url = f"{hub.url}/owner/tiny/resolve/{REVISION}/{FIRST}"
    published = PublishedImage(url=url, sha256=hashlib.sha256(CONTENT).hexdigest())
    found = load_machine("leonardo")
    return found.model_copy(update={"containers": found.containers.model_copy(update={"images": {"data": published}})})


@pytest.fixture
def images(tmp_path):
    """All images but `data`."""
    for name in set(NAMES) - {"data"}:
        (tmp_path / f"{name}.sif").write_text(name)
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        (tmp_path / f"{name}.sif.sha256").write_text(f"{sha256}  {name}.sif\n")
    return tmp_path


def test_a_missing_image_is_downloaded_and_an_interrupted_download_goes_on(hub, machine, images):
    hub.cuts[FIRST] = [100_000, 50_000]
    assert f"{images}/data.sif: downloaded" in stage_images(machine, images, Deadline())
    assert hub.served[FIRST] == 300_000 and (images / "data.sif").read_bytes() == CONTENT
    assert stage_images(machine, images, Deadline()) == [f"{images}/{name}.sif: good" for name in NAMES]


def test_another_image_than_the_machine_s_file_says_is_refused(hub, machine, images):
    hub.altered[FIRST] = [True]
    with pytest.raises(UserError, match=r"image data: http.* has sha256 [0-9a-f]{64}; the machine's file says"):
        stage_images(machine, images, Deadline())
    assert not (images / "data.sif").exists()
    stage_images(machine, images, Deadline())


def test_what_is_missing_or_changed_is_named(images):
    (images / "train.sif").write_text("another")
    (images / "verify.sif.sha256").unlink()
    with pytest.raises(UserError) as caught:
        stage_images(load_machine("leonardo"), images, Deadline())
    text = str(caught.value)
    assert "3 of 4 images are not good" in text and "needs the variant cuda" in text
    for words in ("data.sif is not there", "train.sif is not what train.sif.sha256 says", "has no verify.sif.sha256"):
        assert words in text
