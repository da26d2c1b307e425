"""Verdicts: each trace judged, with a reason and the evidence.

From Python:

    from thoughtline.verdicts import verifier_for

    with verifier_for({"verifier": {"verifier": "math_verify"}}) as verifier:
        verdict = verifier.verify({"answer": "1/2"}, {"status": "finished", "response": r"So \\boxed{0.5}."})
    verdict.status    # "correct"
"""

from __future__ import annotations

from typing import Any


def verifier_for(settings: dict[str, Any], **options: Any) -> Any:
    """The verifier that `settings` describe; keys that are left out get the recipe's defaults.

    Args:
        settings: {"verifier": {"verifier": name, ...}, "seed"?, "engine"?, "endpoint"?}, as made by
            `thoughtline recipe settings` or by hand.
        options: what cannot change results (see verify.Options), say `service` for a judge.

    Returns:
        A verdict.Verifier: name, fingerprint, verify(question, trace) -> Verdict, close(); a context manager.

    Raises:
        UserError: the settings are wrong.
    """
    # Imported here, so that a worker process that needs one module does not load them all.
    from .complete import complete
    from .verify import Options, load

    return load(complete(settings), Options(**options))
