"""Long work shows itself: a bar on a terminal, one line a minute in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm


class Progress:
    """Counts done units of a known total.

    Args:
        total: how many units there are.
        label: what is being done, say "traces teacher/math 0000".
        unit: the plural of what is counted.
        done: units that an earlier run had finished.
        every: seconds between lines when the stream is no terminal.
    """

    def __init__(
        self, total: int, label: str, unit: str = "rows", done: int = 0, stream: TextIO = sys.stderr, every: float = 60
    ) -> None:
        self.total, self.label, self.unit, self.done, self.stream, self.every = total, label, unit, done, stream, every
        self._resumed, self._start, self._last = done, time.monotonic(), time.monotonic()
        self._bar = (
            tqdm(total=total, desc=label, unit=f" {unit}", initial=done, file=stream) if stream.isatty() else None
        )
        if self._bar is None:
            self._line(f"0 new, {done} from an earlier run, {total} {unit} in all" if done else f"{total} {unit}")

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more units are done; `note` is shown with them (say "187 tokens/s")."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
            if note:
                self._bar.set_postfix_str(note)
        elif time.monotonic() - self._last >= self.every:
            self._last = time.monotonic()
            rate = (self.done - self._resumed) / max(1e-9, self._last - self._start)
            left = f", {(self.total - self.done) / rate / 60:.1f} min left" if rate > 0 else ""
            self._line(f"{self.done}/{self.total} {self.unit}, {rate:.2f}/s{left}" + (f", {note}" if note else ""))

    def _line(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self.label}: {text}", file=self.stream, flush=True)

    def close(self) -> None:
        """Say how it ended."""
        if self._bar is not None:
            self._bar.close()
        else:
            self._line(f"{self.done}/{self.total} {self.unit} in {time.monotonic() - self._start:.1f} s")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
