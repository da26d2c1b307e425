"""Whether the hub can be reached from this machine; with the standard library alone, for the driver has no more."""

from __future__ import annotations

import urllib.error
import urllib.request

from .hub import endpoint


def why_unreachable(seconds: float = 10) -> str | None:
    """Why the hub does not answer, through the proxy of the environment where it names one; None if it does, whatever it says."""
    address = endpoint()
    if not address.startswith(("http://", "https://")):
        return f"HF_ENDPOINT is {address!r}, no http address"
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        return f"{address}: {getattr(error, 'reason', error)}"
    return None
