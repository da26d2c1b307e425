"""What must hold before a job starts in an image, and what the image sees of the machine."""

import json
import stat
from types import SimpleNamespace

import pytest
from snakemake.settings.types import DeploymentMethod
from thoughtline.common.environments import ROOT
from thoughtline.common.errors import UserError
from thoughtline.machines import images
from thoughtline.machines.load import load_machine
from thoughtline.provenance.environment import environment_digest


def test_missing_images_are_named_with_the_command_that_builds_them(tmp_path):
    (tmp_path / "data.sif").touch()
    with pytest.raises(UserError) as error:
        images.check([tmp_path / "verify.sif", tmp_path / "data.sif", tmp_path / "train.sif"])
    assert "make containers IMAGES='train verify'" in str(error.value) and "data.sif" not in str(error.value)
    with pytest.raises(UserError, match="make containers VARIANT=cuda IMAGES=train"):
        images.check([tmp_path / "train.sif"], "cuda")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("FATAL: container creation failed: mount hook: fuse: /dev/fuse: permission denied", "/dev/fuse"),
        ("ERROR: Failed to create user namespace: not allowed to create user namespace", "user.max_user_namespaces"),
        ("FATAL: no space left on device", "room"),
        ("FATAL: something else", "docs/containers.md"),
    ],
)
def test_a_machine_that_cannot_run_them_is_told_what_to_enable(tmp_path, monkeypatch, told, wanted):
    """A double for Apptainer's refusals: this machine allows what is refused here."""
    program = tmp_path / "apptainer"
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\nexit 255\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "data.sif").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError) as error:
        images.check([tmp_path / "data.sif"])
    assert wanted in str(error.value) and told in str(error.value)


def test_folders_behind_links_are_seen_once_and_only_if_there(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "far")
    machine = load_machine("local").model_copy(
        update={"containers": SimpleNamespace(binds=["/usr:/seen", "/nowhere"], arguments=["--nv"])}
    )
    words = images.arguments(machine, {"THOUGHTLINE_STAGE": str(tmp_path / "far")}, [str(tmp_path / "results")])
    assert words == [
        "--cleanenv",
        "--bind",
        str(ROOT),
        "--bind",
        str(tmp_path / "results"),
        "--bind",
        str(tmp_path / "far"),
        "--bind",
        images.CGROUPS,
        "--bind",
        "/usr:/seen",
        "--nv",
    ]


def test_the_stage_is_seen_before_a_run_has_made_it(tmp_path):
    folders = images.visible_folders(
        load_machine("local"), {"THOUGHTLINE_STAGE": str(tmp_path / "stage")}, ["/nowhere"]
    )
    assert str(tmp_path / "stage") in folders and "/nowhere" not in folders


def test_arguments_are_added_once():
    once = images.added("--bind /mine", ["--cleanenv", "--bind", "/a b"])
    assert (
        once == "--bind /mine --cleanenv --bind '/a b'" and images.added(once, ["--cleanenv", "--bind", "/a b"]) == once
    )


def test_an_image_is_known_by_its_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("THOUGHTLINE_CONTAINERS", str(tmp_path))
    digests = []
    for content in (None, b"one", b"two"):
        if content:
            (tmp_path / "data.sif").write_bytes(content)
        environment_digest.cache_clear()
        digests.append(environment_digest("data"))
    environment_digest.cache_clear()
    assert digests[0] == {"container": "absent"} and len({each["container"] for each in digests}) == 3


def test_snakemake_s_methods():
    assert images.uses_containers({DeploymentMethod.APPTAINER}) and not images.uses_containers({DeploymentMethod.CONDA})


def image_of(folder, variant):
    """An image's name, and a bill of materials beside it."""
    image = folder / f"{variant}.sif"
    image.touch()
    component = {"properties": [{"name": "thoughtline:variant", "value": variant}]}
    image.with_suffix(".cdx.json").write_text(json.dumps({"metadata": {"component": component}}))
    return image


def test_images_are_of_the_machines_variant(tmp_path):
    cpu, cuda = image_of(tmp_path, "cpu"), image_of(tmp_path, "cuda")
    unknown = tmp_path / "own.sif"
    images.must_be("cuda", [cuda, unknown])
    images.must_be(None, [cpu, cuda])
    with pytest.raises(UserError, match=r"cpu\.sif.*the variant cpu, and this machine needs cuda.*VARIANT=cuda"):
        images.must_be("cuda", [cuda, cpu])


def test_each_image_is_tried(tmp_path):
    """That the others work does not tell of a broken one."""
    program = tmp_path / "apptainer"
    program.write_text('#!/bin/sh\ncase "$*" in *train*) echo "FATAL: broken" >&2; exit 255;; esac\n')
    program.chmod(0o755)
    for name in ("data", "train"):
        (tmp_path / f"{name}.sif").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        with pytest.raises(UserError, match=r"train\.sif.*does not work on this machine: FATAL: broken"):
            images.check([tmp_path / "data.sif", tmp_path / "train.sif"])
