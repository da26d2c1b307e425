"""config.yaml, site.yaml and --config: which comes first, and what a wrong key says."""

import pytest
from thoughtline.common.errors import UserError
from thoughtline.recipe.execution import Execution, site_settings, with_site

CONFIG = {"recipe": "recipes/demo.yaml", "results": "results", "machine": "leonardo", "account": None}


def test_the_command_line_comes_before_the_site_and_the_site_before_the_profile():
    site = {"account": "theirs", "results": "/work/results", "recipe": "recipes/site.yaml"}
    given = {"account": "mine"}
    found = with_site({**CONFIG, **given}, given, site)
    assert (found["account"], found["results"], found["recipe"]) == ("mine", "/work/results", "recipes/site.yaml")


def test_a_site_says_how_jobs_run_key_by_key():
    config = {**CONFIG, "execution": {"workers": 0, "linger": 60}}
    found = with_site(config, {"execution": {"linger": 5}}, {"execution": {"workers": 8, "linger": 9}})
    assert found["execution"] == {"workers": 8, "linger": 5}


def test_a_site_does_not_count_on_this_machine():
    config = {**CONFIG, "machine": "local"}
    assert with_site(config, {}, {"results": "/work/results"}) == config


def test_numbers_and_lists_of_the_command_line():
    found = Execution.read({**CONFIG, "account": 4711, "exclude_nodes": "lrdn0001, lrdn0002"})
    assert (found.account, found.exclude_nodes) == ("4711", ["lrdn0001", "lrdn0002"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acount: x\n", r"site\.yaml: acount: unknown key; known keys: recipe, .*account"),
        ("results: 'my results'\n", r"site\.yaml: results: .*letters, digits"),
        ("account: [a]\n", r"site\.yaml: account: .*sacctmgr"),
        ("- account\n", r"site\.yaml: is no mapping of keys; see site\.example\.yaml"),
        ("account: 'x\n", r"site\.yaml:\d+: is not YAML"),
    ],
)
def test_a_bad_site_file_is_explained(tmp_path, text, message):
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        site_settings(tmp_path)


def test_no_site_file_and_an_empty_one_say_nothing(tmp_path):
    assert site_settings(tmp_path) == {}
    (tmp_path / "site.yaml").write_text("# nothing yet\n")
    assert site_settings(tmp_path) == {}


@pytest.mark.parametrize("names", [["a;touch pwned"], ["a b"], "$(x)", ["-w"], [""]])
def test_names_of_nodes_cannot_be_commands(names):
    with pytest.raises(UserError, match=r"config: exclude_nodes.*names as Slurm writes them"):
        Execution.read({**CONFIG, "exclude_nodes": names})


def test_ranges_of_nodes_are_names_too():
    assert Execution.read({**CONFIG, "exclude_nodes": ["lrdn[0042-0045,0050]"]}).exclude_nodes == [
        "lrdn[0042-0045,0050]"
    ]
