"""What arrives in the stage: the right files, the right bytes, and a manifest that is true; whatever the hub does."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time

import pytest
from conftest import DATA, FIRST, MODEL, SECOND, noise
from hub_service import CHUNK, REVISION, git_blob
from thoughtline.common.deadline import Deadline
from thoughtline.common.errors import OutOfTime, UserError
from thoughtline.common.files import read_json, sha256_file
from thoughtline.stage.needs import Need, of_model, of_source

IN_FLIGHT = 16 * CHUNK
"""Bytes that the hub may have sent and the reader not yet written when it is stopped: buffers of sockets and files."""


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def final(stage):
    return stage / "owner/tiny" / REVISION


def test_a_model_comes_whole_and_without_what_nobody_loads(hub, stage, get, final):
    manifest = get(MODEL)
    wanted = {
        "README.md", "config.json", "tokenizer.json", "tokenizer_config.json", FIRST, SECOND,
        "model.safetensors.index.json",
    }  # fmt: skip
    assert files_of(final) == wanted == {file["path"] for file in manifest["files"]}
    published = hub.repositories["model", "owner/tiny"][REVISION]
    for file in manifest["files"]:
        data = published[file["path"]]
        assert (final / file["path"]).read_bytes() == data
        assert file["bytes"] == len(data) and file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["lfs"] or file["git_blob"] == git_blob(data)
    assert manifest["licence"] == "apache-2.0" and manifest["revision"] == REVISION
    path = of_model(MODEL).manifest(stage)
    assert read_json(path) == manifest
    record = read_json(f"{path}.prov.json")
    counts = record["counts"]
    assert (counts["in"], counts["out"], counts["dropped"]) == (11, 7, {"not_needed": 4})
    assert record["artifact"]["sha256"] == sha256_file(path) and record["details"]["hub"] == hub.url


def test_a_data_set_comes_with_all_its_rows_or_those_that_are_named(hub, stage, get):
    everything = {"README.md", "data/train-0.parquet", "data/train-1.parquet", "data/test.jsonl"}
    folder = stage / "owner/rows" / REVISION
    named = {**DATA, "data_files": "data/train-*.parquet"}
    assert {file["path"] for file in get(named)["files"]} == everything - {"data/test.jsonl"} == files_of(folder)
    assert {file["path"] for file in get(DATA)["files"]} == everything == files_of(folder)
    assert hub.served["data/train-0.parquet"] == 20_000
    assert of_source(named).manifest(stage).is_file() and of_source(DATA).manifest(stage).is_file()


def test_the_same_repository_gives_the_same_manifest(hub, stage, get):
    get(MODEL)
    path = of_model(MODEL).manifest(stage)
    first = path.read_bytes()
    shutil.rmtree(stage)
    get(MODEL, connections=1)
    assert path.read_bytes() == first


def test_what_is_staged_is_not_asked_for_again(hub, get):
    get(MODEL)
    requests = hub.requests
    get(MODEL)
    assert hub.requests == requests


def test_files_that_are_there_already_count_if_they_are_right(hub, get, final):
    published = hub.repositories["model", "owner/tiny"][REVISION]
    final.mkdir(parents=True)
    (final / FIRST).write_bytes(published[FIRST])
    (final / SECOND).write_bytes(published[SECOND][:-1] + b"?")
    get(MODEL)
    assert hub.served[FIRST] == 0 and hub.served[SECOND] == 50_000
    assert (final / SECOND).read_bytes() == published[SECOND]


def test_a_finished_file_is_not_read_again_after_an_interruption(hub, stage, get, monkeypatch):
    get(MODEL)
    of_model(MODEL).manifest(stage).unlink()
    monkeypatch.setattr("thoughtline.stage.fetch.hashes_of", lambda path: pytest.fail(f"{path} is read again"))
    get(MODEL)


def test_a_lost_file_comes_back(hub, get, final):
    get(MODEL)
    (final / SECOND).unlink()
    get(MODEL)
    assert hub.served[SECOND] == 100_000 and hub.served[FIRST] == 300_000
    assert (final / SECOND).stat().st_size == 50_000


def test_a_broken_connection_is_resumed_where_it_broke(hub, get, impatient, final):
    hub.cuts[FIRST] = [100_000, 0, 0, 150_000]
    get(MODEL)
    assert hub.served[FIRST] == 300_000
    ranges = [wanted for path, wanted, _ in hub.asked if path == FIRST]
    assert ranges == [None, *["bytes=100000-"] * 3, "bytes=250000-"]
    assert (final / FIRST).read_bytes() == noise(1, 300_000)


def test_a_hub_without_ranges_is_asked_from_the_beginning(hub, get, impatient, final):
    hub.ranges, hub.cuts[FIRST] = False, [100_000]
    get(MODEL)
    assert hub.served[FIRST] == 400_000
    assert (final / FIRST).read_bytes() == noise(1, 300_000)


def test_a_hub_that_breaks_off_for_ever_is_given_up_and_nothing_half_has_a_name(hub, stage, get, impatient, final):
    hub.cuts[FIRST] = [100_000] + [0] * 50
    with pytest.raises(UserError, match=r"model owner/tiny at 0123456.*cannot be reached .*; stage on a machine with"):
        get(MODEL)
    assert not (final / FIRST).exists() and not of_model(MODEL).manifest(stage).exists()
    hub.cuts.clear()
    get(MODEL)
    assert hub.served[FIRST] == 300_000


@pytest.mark.parametrize("statuses", [[429], [503, 502, 500], [429, 408]])
def test_an_overloaded_hub_is_asked_again(hub, get, impatient, statuses):
    hub.answers[FIRST], hub.answers["api"] = list(statuses), list(statuses)
    get(MODEL)
    assert hub.served[FIRST] == 300_000 and not hub.answers[FIRST] and not hub.answers["api"]


def test_the_hub_says_how_long_to_wait(hub, get):
    hub.answers[FIRST], hub.retry_after = [429], "1"
    began = time.monotonic()
    get(MODEL)
    assert time.monotonic() - began >= 1


def test_wrong_bytes_once_are_loaded_again_from_the_beginning(hub, get, final):
    hub.altered[FIRST], hub.altered["config.json"] = [True], [True]
    get(MODEL)
    assert hub.served[FIRST] == 600_000
    assert (final / FIRST).read_bytes() == noise(1, 300_000) and (final / "config.json").read_bytes() == b"{}"


@pytest.mark.parametrize(("name", "kind"), [(FIRST, "sha256"), ("tokenizer.json", "git blob id")])
def test_wrong_bytes_are_refused(hub, stage, get, final, name, kind):
    hub.altered[name] = [True, True]
    with pytest.raises(UserError, match=rf"{name}: arrived twice with {kind} [0-9a-f]+, the hub publishes [0-9a-f]+"):
        get(MODEL)
    assert not (final / name).exists() and not of_model(MODEL).manifest(stage).exists()
    get(MODEL)


def test_a_part_that_was_damaged_on_disk_is_found_out(hub, stage, get, impatient, final):
    hub.cuts[FIRST] = [100_000] + [0] * 50
    with pytest.raises(UserError):
        get(MODEL)
    (part,) = [path for path in (stage / ".work").rglob("*.part") if path.stat().st_size == 100_000]
    part.write_bytes(bytes(100_000))
    hub.cuts.clear()
    get(MODEL)
    assert (final / FIRST).read_bytes() == noise(1, 300_000)


def test_a_gated_repository_says_what_to_do(hub, get, monkeypatch):
    hub.gated["owner/tiny"] = "secret"
    message = r"is gated, and the hub refuses \(401; no token was sent\); accept its terms at http.*/owner/tiny, then set HF_TOKEN"
    with pytest.raises(UserError, match=message):
        get(MODEL)
    monkeypatch.setenv("HF_TOKEN", "other")
    with pytest.raises(UserError, match=r"is gated, and the hub refuses \(403; the token of HF_TOKEN"):
        get(MODEL)
    monkeypatch.setenv("HF_TOKEN", "secret")
    get(MODEL)
    assert [token for path, _, token in hub.asked if path == FIRST] == [None], "the token went to the storage host"
    assert {token for path, _, token in hub.asked if path == "config.json"} == {"Bearer secret"}


def test_what_the_hub_does_not_have(hub, get):
    with pytest.raises(UserError, match=r"the hub has no such model, or it is private \(401; no token was sent\)"):
        get({**MODEL, "id": "owner/none"})
    with pytest.raises(UserError, match=r"owner/tiny at f{40}: has no such commit; its commits: .*/tiny/commits/main"):
        get({**MODEL, "revision": "f" * 40})
    with pytest.raises(UserError, match=r"has no file that matches data/nope\*; its files: README.md, data/test.jsonl"):
        get({**DATA, "data_files": "data/nope*"})
    hub.add("model", "owner/evil", {"tokenizer/../../../x": b"", "config.json": b"{}"})
    with pytest.raises(UserError, match=r"has a file with the path 'tokenizer/\.\./"):
        get({**MODEL, "id": "owner/evil"})


def test_a_hub_that_cannot_be_reached(get, impatient, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 cannot be reached \(ConnectError"):
        get(MODEL)


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123456", REVISION.upper()])
def test_a_revision_that_can_move_is_refused(revision):
    settings = {**of_model(MODEL).settings(), "revision": revision}
    with pytest.raises(UserError, match=r"revision: .* is no full commit hash: a branch or tag can move"):
        Need.read(settings)


def test_a_full_disk_is_seen_before_anything_is_loaded(hub, get, monkeypatch):
    usage = type("usage", (), {"free": 300_000})
    monkeypatch.setattr("thoughtline.stage.fetch.shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"needs 0\.4 MB more, only 0\.3 MB are free; make room"):
        get(MODEL)
    assert hub.asked == []


def test_the_deadline_stops_a_download_and_the_next_run_goes_on(hub, get, final):
    hub.bytes_a_second = 100_000
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        get(MODEL, Deadline(1 / 60, margin=0))
    assert time.monotonic() - began < 3
    assert 0 < hub.served[FIRST] < 300_000 and not (final / FIRST).exists()
    time.sleep(0.2)
    hub.bytes_a_second = 0
    get(MODEL)
    assert hub.served[FIRST] <= 300_000 + IN_FLIGHT
    assert (final / FIRST).read_bytes() == noise(1, 300_000)


def test_two_who_fetch_the_same_load_it_once(hub, get, capfd):
    hub.bytes_a_second = 300_000
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(MODEL))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    assert hub.served[FIRST] == 300_000
    assert "waiting, another writer works on this artifact" in capfd.readouterr().err


@pytest.fixture
def command(stage):
    settings = json.dumps(of_model(MODEL).settings())
    return [sys.executable, *["-m", "thoughtline", "stage", "fetch", "--settings"], settings, "--stage", str(stage)]


def test_kill_minus_9_loses_at_most_what_was_in_flight(hub, command, final):
    hub.bytes_a_second = 150_000
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while hub.served[FIRST] < 100_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (final / FIRST).exists()
    time.sleep(0.2)
    hub.bytes_a_second = 0
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"model owner/tiny at {REVISION}: 7 files, 350.1 kB, licence apache-2.0" in done.stdout
    assert hub.served[FIRST] <= 300_000 + IN_FLIGHT
    assert (final / FIRST).read_bytes() == noise(1, 300_000)


def test_the_command_is_online_even_where_the_shell_is_not_and_stops_with_75(hub, command):
    hub.bytes_a_second = 50_000
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    done = subprocess.run([*command, "--minutes", "0.05"], env=environment, capture_output=True, text=True)
    assert done.returncode == 75, done.stderr
    assert 0 < hub.served[FIRST] < 300_000


def test_a_disk_that_fills_up_keeps_what_has_come(hub, command, final):
    """A limit on the size of files stands for a full disk: the same kind of error, from the kernel."""

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(command, preexec_fn=small_files, capture_output=True, text=True)
    assert done.returncode == 2 and "make room and run again" in done.stderr, done.stderr
    assert not (final / FIRST).exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (final / FIRST).read_bytes() == noise(1, 300_000)
    assert hub.served[FIRST] < 2 * 300_000
