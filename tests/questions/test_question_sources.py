"""Loaders: the hub from a staged copy, local files, reasoning-gym."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_sets import problems, settings_of, source_of
from thoughtline.common.errors import UserError
from thoughtline.common.files import sha256_file, write_json
from thoughtline.questions.gym import Refused, entries
from thoughtline.questions.sources import load
from thoughtline.stage.needs import of_source

REVISION = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: data/train-*}
  - {split: test, path: data/test-*}
- config_name: other
  data_files: other.parquet
---
"""


@pytest.fixture
def stage(tmp_path):
    """A staged data set, as `thoughtline stage fetch` leaves it."""
    folder = tmp_path / "stage" / "owner" / "name" / REVISION
    (folder / "data").mkdir(parents=True)
    rows = [{"problem": f"train {number}", "level": number % 2, "tags": ["x"]} for number in range(5)]
    pq.write_table(pa.Table.from_pylist(rows[:3]), folder / "data" / "train-0000.parquet")
    pq.write_table(pa.Table.from_pylist(rows[3:]), folder / "data" / "train-0001.parquet")
    pq.write_table(
        pa.Table.from_pylist([{"problem": "test 0", "level": 0, "tags": []}]), folder / "data" / "test-0000.parquet"
    )
    pq.write_table(pa.table({"problem": ["other 0"]}), folder / "other.parquet")
    (folder / "README.md").write_text(CARD)
    for data_files in (None, "data/train-0001*", "no-such-*"):
        write_manifest(tmp_path / "stage", data_files)
    return folder


def write_manifest(stage, data_files=None):
    need = of_source(hub(data_files=data_files))
    paths = sorted(path for path in need.folder(stage).rglob("*") if path.is_file())
    facts = [{"bytes": path.stat().st_size, "sha256": sha256_file(path)} for path in paths]
    names = [{"path": path.relative_to(need.folder(stage)).as_posix()} for path in paths]
    write_json(need.manifest(stage), {"files": [{**name, **fact} for name, fact in zip(names, facts, strict=True)]})


def hub(config="main", split="train", data_files=None, name="owner/name"):
    return {"id": name, "revision": REVISION, "config": config, "split": split, "data_files": data_files}


def texts(loaded):
    return loaded.table.column("problem")


def test_hub_split_and_config_from_a_staged_copy(stage, tmp_path):
    loaded = load(source_of(hub=hub()), tmp_path / "stage", tmp_path / "cache")
    assert texts(loaded) == [f"train {number}" for number in range(5)]
    assert [file.name for file in loaded.files] == ["train-0000.parquet", "train-0001.parquet", "README.md"]
    assert loaded.facts == {"id": "owner/name", "revision": REVISION}
    assert list(loaded.table.rows([4, 0], ["level", "tags"])) == [{"level": 0, "tags": ["x"]}] * 2
    assert texts(load(source_of(hub=hub(split="test")), tmp_path / "stage", tmp_path / "cache")) == ["test 0"]
    assert texts(load(source_of(hub=hub("other")), tmp_path / "stage", tmp_path / "cache")) == ["other 0"]
    assert texts(load(source_of(hub=hub(split="train[1:3]")), tmp_path / "stage", tmp_path / "cache")) == [
        "train 1",
        "train 2",
    ]


def test_a_revision_that_only_holds_its_place_is_never_loaded(stage, tmp_path):
    unpinned = {**hub(), "revision": "0" * 40}
    with pytest.raises(
        UserError, match=r"sources\.a\.hub\.revision: owner/name has no revision yet.*/datasets/owner/name HEAD"
    ):
        load(source_of(hub=unpinned), tmp_path / "stage", tmp_path / "cache")


def test_hub_data_files(stage, tmp_path):
    loaded = load(source_of(hub=hub(None, "test", "data/train-0001*")), tmp_path / "stage", tmp_path / "cache")
    assert texts(loaded) == ["train 3", "train 4"]
    assert [file.name for file in loaded.files] == ["train-0001.parquet", "README.md"]


def test_hub_rows_go_through_the_whole_set(stage, written):
    source = source_of(hub=hub(), where={"level": [0]}, fields={"metadata": ["tags"]})
    (shard,) = written(settings_of(source))
    assert sorted(problems(shard)) == ["train 0", "train 2", "train 4"]
    assert {row["metadata"] for row in shard} == {f'{{"source_index":{n},"tags":["x"]}}' for n in (0, 2, 4)}


def test_another_staged_copy_is_read_anew_and_a_changed_one_refused(stage, tmp_path):
    assert texts(load(source_of(hub=hub("other")), tmp_path / "stage", tmp_path / "cache 1")) == ["other 0"]
    pq.write_table(pa.table({"problem": ["other 1"]}), stage / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet: was changed since it was staged"):
        load(source_of(hub=hub("other")), tmp_path / "stage", tmp_path / "cache 2")
    write_manifest(tmp_path / "stage")
    assert texts(load(source_of(hub=hub("other")), tmp_path / "stage", tmp_path / "cache 2")) == ["other 1"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            hub(name="owner/missing"),
            rf"data set owner/missing at {REVISION} is not staged in .*; on a machine with internet run `snakemake .* stage`",
        ),
        (
            hub("nope"),
            r"sources\.a\.hub: owner/name at .* cannot be loaded from .*'nope' not found. Available: \['main', 'other'\]",
        ),
        (hub(split="valid"), r"Unknown split \"valid\". Should be one of \['train', 'test'\]"),
        (
            hub(None, "train", "no-such-*"),
            r"cannot be loaded from .*; check id, revision, config, split and data_files",
        ),
    ],
)
def test_hub_errors_say_what_to_do(stage, tmp_path, wanted, message):
    with pytest.raises(UserError, match=message):
        load(source_of(hub=wanted), tmp_path / "stage", tmp_path / "cache")


def test_a_broken_staged_file_is_a_clear_error(stage, tmp_path):
    (stage / "data" / "test-0000.parquet").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    write_manifest(tmp_path / "stage")
    with pytest.raises(UserError, match=r"owner/name at .* cannot be loaded from"):
        load(source_of(hub=hub(split="test")), tmp_path / "stage", tmp_path / "cache")


def test_local_files_of_every_kind(tmp_path):
    rows = [{"problem": "one\u2028line", "x": [1, "a", True]}, {"problem": "two"}]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text("\ufeff" + lines + "\n", encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (tmp_path / "d.json").write_text(lines, encoding="utf-8")
    for path in sorted(tmp_path.iterdir()):
        table = load(source_of(path=str(path)), tmp_path, tmp_path).table
        assert (len(table), table.columns) == (2, ["problem", "x"])
        assert list(table.rows([1, 0], ["problem", "x"])) == [{"problem": "two", "x": None}, rows[0]]
    pq.write_table(pa.table({"problem": ["p", None], "n": [1, 2]}), tmp_path / "e.parquet")
    table = load(source_of(path=str(tmp_path / "e.parquet")), tmp_path, tmp_path).table
    assert table.column("problem") == ["p", None]
    assert list(table.rows([1], ["n"])) == [{"n": 2}]


def test_local_paths_are_relative_to_the_repository():
    assert len(load(source_of(path="data/code/problems.jsonl"), None, None).table) == 100


def test_sha256_is_checked(jsonl, tmp_path):
    path = jsonl([{"problem": "p"}])
    local = {"path": path, "sha256": sha256_file(path)}
    assert load(source_of(local=local), tmp_path, tmp_path).files[0].name == "rows.jsonl"
    with pytest.raises(
        UserError, match=rf"sources\.a\.local\.sha256: .*rows\.jsonl has sha256 {local['sha256']}, not 0000"
    ):
        load(source_of(local={**local, "sha256": "0" * 64}), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.jsonl", None, r"sources\.a\.local\.path: there is no file .*missing\.jsonl"),
        ("a.jsonl", b'{"problem": "p"}\n{"problem": ', r"a\.jsonl:2: is not JSON"),
        ("b.jsonl", b'{"problem": "p"}\n[1]\n', r"b\.jsonl:2: holds a row that is no object: \[1\]"),
        ("c.json", b"[1]", r"c\.json: holds a row that is no object"),
        ("d.jsonl", b"\xff\xfe", r"d\.jsonl: cannot be read as text"),
        ("e.jsonl.gz", b"no gzip", r"e\.jsonl\.gz: cannot be read as text"),
        ("f.parquet", b"no parquet", r"f\.parquet: cannot be read as Parquet"),
        ("g.csv", b"a,b\n", r"g\.csv: is of no known format; give \.jsonl"),
    ],
)
def test_local_errors_name_file_and_line(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load(source_of(path=str(tmp_path / name)), tmp_path, tmp_path)


def gym(task="chain_sum", size=4, seed=1, **config):
    return source_of(reasoning_gym={"task": task, "size": size, "seed": seed, "config": config})


def test_reasoning_gym_entries_and_their_metadata(written, monkeypatch):
    source = gym(min_terms=2, max_terms=2, min_digits=1, max_digits=1)
    (shard,) = written(settings_of(source))
    assert len(shard) == 4
    for row in shard:
        entry = json.loads(row["metadata"])
        assert entry["source_dataset"] == "chain_sum"
        assert str(eval(entry["expression"])) == row["answer"]
        assert entry["expression"] in row["problem"]
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    assert written(settings_of(source), "again") == [shard]


def test_reasoning_gym_tasks_that_depend_on_the_hash_seed_are_fixed(monkeypatch, tmp_path):
    found = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found.append(load(gym("isomorphic_strings", 3), tmp_path, tmp_path).table.column("question"))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "chain_sums"}, r"there is no such task; did you mean chain_sum"),
        (
            {"config": {"min_terms": 5, "max_terms": 2}},
            r"is refused \(AssertionError: max_terms must be >= min_terms\)",
        ),
        (
            {"config": {"terms": 2}},
            r"config {\"terms\":2} is refused \(TypeError: .*unexpected keyword argument 'terms'\)",
        ),
        ({"config": {"seed": 2}}, r"config must not hold seed: size and seed"),
    ],
)
def test_reasoning_gym_refusals(settings, message):
    with pytest.raises(Refused, match=message):
        entries({"task": "chain_sum", "size": 1, "seed": 1, "config": {}, **settings})


def test_reasoning_gym_seed_decides():
    first, again, other = (entries({"task": "chain_sum", "size": 3, "seed": seed, "config": {}}) for seed in (1, 1, 2))
    assert first == again != other


def test_a_refusal_reaches_the_user(tmp_path):
    with pytest.raises(UserError, match=r"sources\.a\.reasoning_gym: task chain_sum: config .* is refused .*GALLERY"):
        load(gym(min_terms=5, max_terms=2), tmp_path, tmp_path)


def test_a_source_needs_a_place():
    with pytest.raises(UserError, match=r"sources\.a: has no place to load from"):
        load(source_of(), None, None)
