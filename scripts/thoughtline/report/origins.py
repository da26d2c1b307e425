"""Where everything comes from: code, versions, machines, data, models, and the sha256 of every artifact."""

from __future__ import annotations

from typing import Any

from .collect import Results
from .numbers import size


def _told(results: Results, key: str) -> dict[str, list[str]]:
    """Value of `key` in the settings of the sidecars (say a lock) -> the stages that say it."""
    found: dict[str, list[str]] = {}
    for artifact, sidecar in results.sidecars.items():
        value = (sidecar.get("settings") or {}).get(key)
        if value is not None:
            text = " ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)
            stages = found.setdefault(text, [])
            if (stage := artifact.split("/")[0]) not in stages:
                stages.append(stage)
    return found


def code(results: Results) -> list[dict[str, Any]]:
    """Commits that the artifacts were made with: {commit, dirty, artifacts}."""
    found: dict[tuple[Any, Any], int] = {}
    for sidecar in results.sidecars.values():
        git = sidecar.get("git") or {}
        key = (git.get("commit"), git.get("dirty"))
        found[key] = found.get(key, 0) + 1
    return [
        {
            "commit": commit or "not a git checkout",
            "dirty": {True: "yes", False: "no"}.get(dirty, "unknown"),
            "artifacts": number,
        }
        for (commit, dirty), number in sorted(found.items(), key=lambda item: (-item[1], str(item[0])))
    ]


def versions(results: Results) -> list[tuple[str, str]]:
    """Tool -> its versions, as the sidecars name them (environments may differ: then several)."""
    found: dict[str, set[str]] = {}
    for sidecar in results.sidecars.values():
        for name, version in (sidecar.get("versions") or {}).items():
            found.setdefault(name, set()).add(version)
    return [(name, ", ".join(sorted(found[name]))) for name in sorted(found)]


def machines(results: Results) -> list[str]:
    """The machines that made the artifacts, one line each."""
    found = set()
    for sidecar in results.sidecars.values():
        host = sidecar.get("host") or {}
        if host:
            found.add(f"{host.get('name')}: {host.get('machine')}, {host.get('cpus')} CPUs, {host.get('system')}")
    return sorted(found)


def environments(results: Results) -> list[tuple[str, list[str]]]:
    """Digest of a lock or container image -> the stages that ran in it."""
    found = _told(results, "environment")
    for artifact, sidecar in results.sidecars.items():
        if sidecar.get("container_sha256"):
            stages = found.setdefault(f"container {sidecar['container_sha256']}", [])
            if (stage := artifact.split("/")[0]) not in stages:
                stages.append(stage)
    return sorted(found.items(), key=lambda item: item[1])


def data(results: Results) -> list[dict[str, str]]:
    """Licence and credit of every source of questions, and where its rows are."""
    rows = []
    for sets in (results.recipe.questions, results.recipe.benchmarks):
        for set_name, chosen in sets.items():
            for name, source in chosen.sources.items():
                if source.hub:
                    where = f"{source.hub.id}, revision {source.hub.revision}"
                elif source.local:
                    where = source.local.path
                else:
                    assert source.reasoning_gym is not None
                    gym = source.reasoning_gym
                    where = f"reasoning-gym task {gym.task}, seed {gym.seed}, {gym.size:,} entries"
                rows.append(
                    {
                        "set": set_name,
                        "source": name,
                        "where": where,
                        "licence": source.licence,
                        "credit": source.credit,
                    }
                )
    return rows


def models(results: Results) -> list[dict[str, str]]:
    """Every model: where it comes from, its revision, licence and credit."""
    rows = []
    for name, model in results.recipe.models.items():
        facts = results.models[name].facts if name in results.models else {}
        if model.hub:
            where = f"{model.hub.id}, commit {model.hub.revision}"
        elif model.package:
            where = f"Python package {model.package.package} {model.package.version}, {model.package.file}"
        elif model.local:
            where = model.local.path
        elif model.endpoint:
            where = f"service {model.endpoint.url}, model {model.endpoint.model}"
        else:
            where = f"trained from {model.base} on {', '.join(stage.dataset for stage in model.stages)}"
        missing = model.endpoint.revision if model.endpoint else "not made yet"
        rows.append(
            {
                "name": name,
                "where": where,
                "revision": facts.get("revision") or missing,
                "licence": facts.get("licence") or model.licence or "not stated",
                "credit": facts.get("credit") or model.credit or "",
            }
        )
    return rows


TIMED = "training.json"
"""The name of artifacts that hold times, whose sha256 therefore differs between equal runs."""


def artifacts(results: Results, timed: bool = False) -> list[dict[str, str]]:
    """Path (below the results folder), size and sha256 of the artifacts, as their sidecars recorded them.

    Args:
        timed: those that hold times, or all others.
    """
    return [
        {
            "path": path,
            "size": size(sidecar["artifact"]["bytes"]),
            "sha256": sidecar["artifact"]["sha256"] or "a folder",
        }
        for path, sidecar in results.sidecars.items()
        if (path.rpartition("/")[2] == TIMED) == timed
    ]
