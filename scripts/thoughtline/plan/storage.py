"""What a plan keeps on disk: what stays for good, and the most that lies there at once while jobs run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import combinations

from ..machines.schema import Machine
from ..machines.schema import Storage as Described
from .plan import Area, Key, Line

RESULTS, STAGE = "results", "stage"


def _heaviest(sizes: Mapping[Key, float], related: Mapping[Key, Set[Key]]) -> float:
    """The most that jobs take together of which none waits for another.

    Args:
        related: for each job those that it waits for, and those that wait for it.
    """
    total, left = 0.0, dict(sizes)
    while left:
        group, queue = {}, [next(iter(left))]
        while queue:
            key = queue.pop()
            if key in left:
                group[key] = left.pop(key)
                queue += related[key] & left.keys()
        total += _heaviest_of_group(group, related)
    return total


def _heaviest_of_group(sizes: dict[Key, float], related: Mapping[Key, Set[Key]]) -> float:
    """`_heaviest` of jobs that all have to do with each other, by way of others at least."""
    busiest = max(sizes, key=lambda key: len(related[key] & sizes.keys()))
    near = related[busiest] & sizes.keys()
    without = {key: size for key, size in sizes.items() if key != busiest}
    beside = {key: size for key, size in without.items() if key not in near}
    return max(_heaviest(without, related), sizes[busiest] + _heaviest(beside, related))


def temporary(lines: Sequence[Line], serial: bool) -> float:
    """The most bytes of working files at once: of jobs that are left and need not wait for each other; of one job where jobs are `serial`.

    Args:
        lines: each after those that it waits for.
    """
    sizes = {line.key: line.temporary for line in lines if line.left and line.temporary}
    if serial:
        return max(sizes.values(), default=0.0)
    before: dict[Key, set[Key]] = {}
    for line in lines:
        before[line.key] = set(line.after).union(*(before.get(key, set()) for key in line.after))
    return _heaviest(
        sizes, {key: {other for other in sizes if other in before[key] or key in before[other]} for key in sizes}
    )


def areas(machine: Machine, lines: Sequence[Line], moved: Mapping[str, str] | None = None) -> list[Area]:
    """What lies in each storage area; one area where the machine's file says none.

    Staged weights are linked into the results, and copied where those are kept in another area.

    Args:
        moved: folder -> area in whose place it would be kept, rather than where the machine's file says.
    """
    kept = {folder: sum(line.bytes.get(folder, 0.0) for line in lines) for folder in (RESULTS, STAGE)}
    working = temporary(lines, not machine.is_slurm)
    moved = moved or {}
    found = []
    for name, area in machine.storage.items():
        held = {folder for folder in area.holds if folder not in moved}
        held |= {folder for folder, to in moved.items() if to == name}
        if held:
            size = sum(kept[folder] for folder in held) + (kept[STAGE] if held == {RESULTS} else 0.0)
            peak = size + (working if RESULTS in held else 0.0)
            found.append(Area(name, area.path, size, peak, _quota(area), area.purge_days))
    size = sum(kept.values())
    return found or [Area("results and stage", ".", size, size + working, None, None)]


def _quota(area: Described) -> float | None:
    return area.size_gb * 1e9 if area.size_gb else None


def exceeded(machine: Machine, lines: Sequence[Line], targets: Mapping[str, Sequence[Key]]) -> list[str]:
    """Words on each quota that is too small, with what would do."""
    words = []
    for area in areas(machine, lines):
        if area.over:
            right = [*_roomier(machine, lines, area), *_fewer(machine, lines, area, targets), "ask for more"]
            much = f"{area.peak / 1e9:,.0f} GB at the peak ({area.kept / 1e9:,.0f} GB stay)"
            words.append(
                f"storage {area.name} ({area.path}): {much} are more than the quota of {(area.quota or 0) / 1e9:,.0f} GB; {', or '.join(right)}"
            )
    return words


def _moves(machine: Machine, full: Area) -> Iterator[tuple[str, dict[str, str]]]:
    """(area, folders that would be kept there) of each way to relieve an area, the smallest first."""
    held = [folder for folder in (STAGE, RESULTS) if folder in machine.storage[full.name].holds]
    for count in range(1, len(held) + 1):
        for folders in combinations(held, count):
            for name, area in machine.storage.items():
                if name != full.name and area.size_gb:
                    yield name, dict.fromkeys(folders, name)


def _roomier(machine: Machine, lines: Sequence[Line], full: Area) -> list[str]:
    """What to keep elsewhere so that each area suffices, if anything would."""
    for name, moved in _moves(machine, full):
        if not any(area.over for area in areas(machine, lines, moved)):
            area = machine.storage[name]
            purged = f", but what lies there for {area.purge_days} days is deleted" if area.purge_days else ""
            folders = " and ".join(f"`{folder}`" for folder in sorted(moved))
            there = f"{area.path} ({area.size_gb:,} GB{purged})"
            return [f"put {folders} (config) below {there} and say so in `holds` of the machine's file"]
    return []


def _fewer(machine: Machine, lines: Sequence[Line], full: Area, targets: Mapping[str, Sequence[Key]]) -> list[str]:
    """A target with a training that would have room by itself, if there is one and it is not the only target."""
    for name, keys in targets.items() if len(targets) > 1 else ():
        own = [line for line in lines if line.key in set(keys)]
        alone = next(area for area in areas(machine, own) if area.name == full.name)
        if temporary(own, serial=True) and not alone.over:
            return [f"name fewer targets ({name} has room by itself)"]
    return []
