"""The bill of materials of an image: CycloneDX 1.6, every Debian and Python package in its root with version and licence."""

from __future__ import annotations

import datetime
import email.parser
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..common.files import sha256_file

Component = dict[str, Any]
SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "bsd license": "",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "expat": "MIT",
    "gpl-2": "GPL-2.0-only",
    "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only",
    "gpl-3+": "GPL-3.0-or-later",
    "isc": "ISC",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3+": "LGPL-3.0-or-later",
    "mit": "MIT",
    "mit license": "MIT",
    "mpl-2.0": "MPL-2.0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "zlib": "Zlib",
}
"""Names of licences as packages write them -> SPDX's; "" says too little to be named."""


def licences(names: list[str]) -> list[dict[str, Any]]:
    """CycloneDX's licence choices for names as a package gives them, SPDX's own identifiers where they are known."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        text = " ".join(name.split())[:200]
        known = SPDX.get(text.lower(), text)
        if known:
            kind = "id" if text.lower() in SPDX else "name"
            found.setdefault(known, {"license": {kind: known}})
    return list(found.values())


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t"):
                fields[key] = f"{fields.get(key, '')}\n{line}"
            elif ":" in line:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if fields:
            yield fields


def _debian_licences(copyright_file: Path) -> list[str]:
    """Short names of the licences in a machine-readable copyright file; [] for another kind of file."""
    try:
        text = copyright_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    if not text.lstrip().startswith("Format:"):
        return []
    names = [fields["License"].split("\n")[0].strip() for fields in _paragraphs(text) if "License" in fields]
    return sorted({name for name in names if name})


def debian_packages(root: Path) -> list[Component]:
    """Components of the packages that dpkg installed below `root`, by name."""
    status = root / "var/lib/dpkg/status"
    if not status.is_file():
        return []
    found = []
    for fields in _paragraphs(status.read_text(encoding="utf-8", errors="replace")):
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version = fields["Package"], fields["Version"]
        purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={fields['Architecture']}"
        component: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if named := licences(_debian_licences(root / "usr/share/doc" / name / "copyright")):
            component["licenses"] = named
        found.append(component)
    return sorted(found, key=lambda each: each["bom-ref"])


def _python_licences(metadata: email.message.Message) -> list[dict[str, Any]]:
    if expression := metadata.get("License-Expression"):
        return [{"expression": expression.strip()}]
    classified = [
        value.split("::")[-1].strip() for value in metadata.get_all("Classifier", []) if "License ::" in value
    ]
    classified = [value for value in classified if value != "OSI Approved"]
    # The field often holds a licence's whole text, which is no name.
    field = (metadata.get("License") or "").strip()
    short = [field] if field and "\n" not in field and len(field) < 100 and field.lower() != "unknown" else []
    return licences(short or classified)


def python_packages(environment: Path) -> list[Component]:
    """Components of the distributions that are installed in a virtual environment, by name."""
    found: dict[str, Component] = {}
    for file in sorted(environment.glob("lib/python3*/site-packages/*.dist-info/METADATA")):
        metadata = email.parser.HeaderParser().parsestr(file.read_text(encoding="utf-8", errors="replace"))
        name, version = metadata["Name"], metadata["Version"]
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version, safe='')}"
        component: Component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if named := _python_licences(metadata):
            component["licenses"] = named
        found[purl] = component
    return list(found.values())


def bill(image: Path, name: str, epoch: int, components: list[Component], facts: dict[str, str]) -> dict[str, Any]:
    """The bill of the image file `image`; the same image gives the same bill.

    Args:
        epoch: its time, seconds since 1970.
        components: what is in it, without repetitions.
        facts: further properties of the image (variant, base, key of the build), written as thoughtline:NAME.
    """
    sha256 = sha256_file(image)
    when = datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat().replace("+00:00", "Z")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'thoughtline:{name}:{sha256}')}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": f"thoughtline-{name}",
                "version": sha256[:12],
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "properties": [{"name": f"thoughtline:{key}", "value": value} for key, value in sorted(facts.items())],
            },
        },
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": [each["bom-ref"] for each in components]}],
    }


def facts_of(document: dict[str, Any]) -> dict[str, str]:
    """The `facts` that a bill was written with; {} for a document of another kind."""
    properties = document.get("metadata", {}).get("component", {}).get("properties", [])
    return {each["name"].removeprefix("thoughtline:"): each["value"] for each in properties}
