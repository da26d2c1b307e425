"""Which language a text is in, by langdetect (the library of IFEval's reference implementation), made repeatable.

langdetect draws random numbers; its seed is fixed here. Its profiles are loaded in the order of their names, not in
that of the file system, so that sums round alike everywhere.
"""

from __future__ import annotations

import functools
import threading
from pathlib import Path

LIBRARIES = ("langdetect",)
LONGEST = 100_000
"""Characters of a text that are looked at; langdetect itself reads 10,000, without addresses of pages and mail."""

_lock = threading.Lock()


@functools.cache
def _factory():  # type: ignore[no-untyped-def]  # langdetect has no types
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    files = sorted(path for path in Path(PROFILES_DIRECTORY).iterdir() if not path.name.startswith("."))
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in files])
    factory.set_seed(0)
    return factory


def language_of(text: str) -> str | None:
    """The text's language (ISO 639-1, with zh-cn and zh-tw); None when nothing in it tells one."""
    from langdetect.lang_detect_exception import LangDetectException

    with _lock:
        factory = _factory()
    detector = factory.create()
    detector.append(text[:LONGEST])
    try:
        return detector.detect()
    except LangDetectException:
        return None
