"""Verdicts: each trace judged, with a reason and the evidence.

From Python (in the environment of verdicts, .venv/verify):

    from thoughtline.verdicts import verifier_for

    with verifier_for({"verifier": {"verifier": "math_verify"}}) as verifier:
        verdict = verifier.verify({"answer": "1/2"}, {"status": "finished", "response": r"So \\boxed{0.5}."})
    verdict.status    # "correct"
"""

from __future__ import annotations

import json
import threading
from typing import Any


class Shared:
    """A verifier for any thread; it judges one row at a time, so give each thread its own where speed matters."""

    def __init__(self, verifier: Any) -> None:
        self.verifier, self._lock = verifier, threading.Lock()
        self.name, self.fingerprint = verifier.name, verifier.fingerprint

    def verify(self, question: dict[str, Any], trace: dict[str, Any]) -> Any:
        """Judge a row; see verdict.Verifier.

        Args:
            question: what the verifier judges by: answer, choices or tests (JSON text, or the values), problem for a judge.
            trace: response; status (default: finished).
        """
        question = {**question, "answer": _text(question.get("answer")), "tests": _text(question.get("tests"))}
        with self._lock:
            return self.verifier.verify(question, {"status": "finished", "trace_id": "", **trace})

    def close(self) -> None:
        """End worker processes and connections."""
        with self._lock:
            self.verifier.close()

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def verifier_for(settings: dict[str, Any], **options: Any) -> Shared:
    """The verifier that `settings` describe; keys that are left out get the recipe's defaults.

    Args:
        settings: {"verifier": {"verifier": name, ...}, "seed"?, "engine"?, "endpoint"?}, as made by
            `thoughtline recipe settings` or by hand.
        options: what cannot change results (see verify.Options), say `service` for a judge.

    Returns:
        Shared: name, fingerprint, verify(question, trace) -> verdict.Verdict, close(); a context manager.

    Raises:
        UserError: the settings are wrong.
    """
    # Imported here, so that a worker process that needs one module does not load them all.
    from .complete import complete
    from .verify import Options, load

    return Shared(load(complete(settings), Options(**options)))
