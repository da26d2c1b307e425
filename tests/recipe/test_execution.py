"""config.yaml, site.yaml and --config: which comes first, and what a wrong key says."""

import pytest
from thoughtline.common.errors import UserError
from thoughtline.recipe.execution import Execution, check_files, site_settings, typed_texts, with_site

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
        ("results: r\nacount: x\n", r"site\.yaml:2: acount: unknown key; did you mean 'account'\?"),
        ("wall_time: x\n", r"site\.yaml:1: wall_time: unknown key; known keys: account, .*stage"),
        ("execution: {worker: 2}\n", r"site\.yaml:1: execution\.worker: unknown key; did you mean 'workers'\?"),
        ("results: 'my results'\n", r"site\.yaml:1: results: 'my results' cannot stand here; letters, digits"),
        ("results: 2026\n", r'site\.yaml:1: results: 2026 is not a text to YAML; put it in quotes: "2026"'),
        ("account: [a]\n", r"site\.yaml:1: account: \['a'\] is not a text; .*sacctmgr"),
        ("account: 007\n", r'site\.yaml:1: 007 is the number 7 to YAML; write 7, or "007" in quotes if it is a name'),
        ("- account\n", r"site\.yaml: is no mapping of keys; see site\.example\.yaml"),
        ("account: 'x\n", r"site\.yaml:\d+: is not YAML"),
        ("qos: a\naccount: a\0b\n", r"site\.yaml:2: holds the character U\+0000, .*; remove it"),
        ("account: 'bell \x07'\n", r"site\.yaml:1: holds the character U\+0007, .*; remove it"),
        ("qos: a\naccount: " + "[" * 2000, r"site\.yaml:2: is nested too deeply; close brackets"),
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


def test_texts_of_the_command_line_stay_what_was_typed():
    """Snakemake has made numbers of them, in which zeros are lost."""
    given = {"account": 7, "results": 2026, "qos": "long", "budget_gpu_hours": 50}
    words = ["account=007", "results=2026", "qos=long", "budget_gpu_hours=50"]
    assert typed_texts(given, words) == {"account": "007", "results": "2026"}
    assert typed_texts({}, words) == {}


def test_config_files_are_read_by_our_rules_too(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("recipe: r\naccount: 007\n")
    with pytest.raises(UserError, match=r"config\.yaml:2: 007 is the number 7"):
        check_files([path])
    path.write_text('recipe: r\naccount: "007"\n')
    check_files([path, tmp_path / "not-read.json"])


@pytest.mark.parametrize("names", [["a;touch pwned"], ["a b"], "$(x)", ["-w"], [""]])
def test_names_of_nodes_cannot_be_commands(names):
    with pytest.raises(UserError, match=r"config: exclude_nodes.*names as Slurm writes them"):
        Execution.read({**CONFIG, "exclude_nodes": names})


def test_ranges_of_nodes_are_names_too():
    assert Execution.read({**CONFIG, "exclude_nodes": ["lrdn[0042-0045,0050]"]}).exclude_nodes == [
        "lrdn[0042-0045,0050]"
    ]
