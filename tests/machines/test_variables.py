"""Only what is listed gets into a container."""

import pytest
from thoughtline.machines.load import load_machine
from thoughtline.machines.variables import ALLOWED, carried, container_environment, key_variables
from thoughtline.recipe.schema.recipe import Recipe


@pytest.fixture
def machine():
    return load_machine("p5")


def test_nothing_but_the_list_enters(machine):
    environ = {
        "PATH": "/evil",
        "THOUGHTLINE_ENVS": "/host/.venv",
        "PYTHONPATH": "/host",
        "SLURM_JOB_ID": "7",
        "MY_KEY": "k",
    }
    found = container_environment(environ, machine, ["MY_KEY", "OTHER_KEY"])
    assert found.pop("THOUGHTLINE_ROOT")
    assert found == {**machine.network.variables, "SLURM_JOB_ID": "7", "MY_KEY": "k"}


def test_every_variable_says_why():
    assert all(ALLOWED.values()) and not {"PATH", "HOME", "LD_PRELOAD", "PYTHONPATH", "THOUGHTLINE_ENVS"} & set(ALLOWED)


def test_what_others_wanted_to_carry_is_dropped():
    environ = {
        "PATH": "/bin",
        "APPTAINERENV_SECRET": "s",
        "SINGULARITYENV_SECRET": "s",
        "APPTAINER_ENV_FILE": "/f",
        "APPTAINER_NV": "1",
    }
    found = carried(environ, {"SLURM_JOB_ID": "7"})
    assert found == {"PATH": "/bin", "APPTAINER_NV": "1", "APPTAINERENV_SLURM_JOB_ID": "7"}


def test_key_variables_of_a_recipe():
    def model(variable):
        return {"endpoint": {"url": "http://127.0.0.1:1", "model": "m", "revision": "r", "key_variable": variable}}

    models = {name: model(variable) for name, variable in (("a", "KEY_B"), ("b", None), ("c", "KEY_A"))}
    fields = Recipe.model_fields["models"]
    parsed = {name: fields.annotation.__args__[1].model_validate(value) for name, value in models.items()}
    assert key_variables(Recipe.model_construct(models=parsed)) == ["KEY_A", "KEY_B"]
