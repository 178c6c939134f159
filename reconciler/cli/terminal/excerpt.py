"""How a long output begins and how it ends: the first error is often what counts, and the last what is said of it."""

from __future__ import annotations

from collections.abc import Iterator

_HEAD, _TAIL = 6, 6


def excerpt(output: str) -> Iterator[str]:
    """The first and the last lines of what an agent printed, and how many are left out between them."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("ocf-exit-reason:")]
    left_out = len(lines) - _HEAD - _TAIL
    if left_out <= 1:
        yield from lines
        return
    yield from lines[:_HEAD]
    yield f"[... {left_out} lines left out ...]"
    yield from lines[-_TAIL:]
