"""Settings of small question sets, as recipe/settings.py makes them."""


def source_of(name="a", path=None, **keys):
    """A source's settings as recipe/settings.py makes them; `fields` may leave columns out."""
    fields = {
        "problem": "problem",
        **dict.fromkeys(("answer", "solution", "choices", "tests", "starter_code")),
        "metadata": [],
    }
    return {
        "name": name, "hub": None, "local": {"path": path, "sha256": None} if path else None, "reasoning_gym": None,
        "where": {}, "take": None, "filters": [],
        **keys, "fields": {**fields, **keys.get("fields", {})},
    }  # fmt: skip


def settings_of(*sources, domain="math", shards=1, exact=True, similarity=None, partition=None, limit=None):
    return {
        "set": "set", "domain": domain, "shards": shards, "sources": list(sources), "limit": limit, "seed": 42,
        "deduplicate": {"exact": exact, "similarity": similarity}, "partition": partition,
        "code": "", "environment": {},
    }  # fmt: skip


def problems(rows):
    return [row["problem"] for row in rows]
