"""One text for one value: canonical JSON, and the hashes that identities are made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """The one JSON text of `value`: keys sorted, no spaces, UTF-8 kept, NaN and infinities refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_text(text: str) -> str:
    """sha256 of the text's UTF-8 bytes, 64 hex digits (lone surrogates are kept, not refused)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def digest(value: Any, length: int = 64) -> str:
    """sha256 of the canonical JSON of `value`, cut to `length` hex digits."""
    return sha256_text(canonical_json(value))[:length]
