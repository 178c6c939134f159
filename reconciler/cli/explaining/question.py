"""What `verify` is asked: about which configuration, under which failures, and in which form the answer is given."""

from __future__ import annotations

from pathlib import Path

from reconciler.frozen import frozen


@frozen
class Question:
    """The configuration, the one it is compared with, what it must survive, and which failures are simulated in how many processes."""

    path: str
    survive: int | None
    base: str | None
    tests: Path | None
    node: tuple[str, ...]
    only: str | None
    jobs: int | None


@frozen
class Form:
    """The form of the answer: one of JSON, markdown and JUnit (into a file, beside the text), and whether every case is listed."""

    json: bool
    markdown: bool
    junit: str | None
    all: bool
    color: str
