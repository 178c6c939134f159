"""One history: both programs decide at every step, and it goes on from what the reference made of it."""

from __future__ import annotations

import contextlib
import io
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from published_cases import judge, oracle

from reconciler.cli.main import main
from reconciler.frozen import frozen

from .clusters import NOW_S, Cluster
from .moments import happen, settle

LEVELS = ("L0", "L1", "L2", "L3", "L4", "L5")


@frozen
class Step:
    """What was asked and how the answers differ, by level with the first lines. `failed` is why there is no answer of one of them."""

    number: int
    words: tuple[str, ...]
    document: bytes
    failed: str = ""
    differences: tuple[tuple[str, tuple[str, ...]], ...] = ()


def live(seed: int, steps: int, directory: Path) -> Iterator[Step]:
    """The steps of the history with this seed, until the reference fails on one or it ends."""
    cluster = Cluster(seed)
    root = cluster.root
    now_s = NOW_S
    words: list[str] = []
    for number in range(steps):
        document = ET.tostring(root)
        step = compared(number, document, words, directory)
        yield step
        after = directory / "after.xml"
        if step.failed or not after.exists():
            return
        root = ET.parse(after).getroot()
        settle(root, now_s)
        words, now_s = happen(cluster, root, now_s)


def compared(number: int, document: bytes, words: list[str], directory: Path) -> Step:
    """Have both programs answer and compare; the reference's outcome is `after.xml` in the directory."""
    path, theirs, ours, after = (directory / name for name in ("cib.xml", "theirs.dot", "ours.dot", "after.xml"))
    for old in (theirs, ours, after):
        old.unlink(missing_ok=True)
    path.write_bytes(document)
    asked = ["-S", "-s", "--text-fancy", "-x", str(path), *words]
    expected = oracle("crm_simulate", *asked, "-D", theirs, "-O", after)
    made = Step(number, tuple(words), document)
    if expected.returncode != 0 or not theirs.exists():
        reason = expected.stderr.strip().splitlines() or [f"ended with {expected.returncode}"]
        return Step(number, made.words, document, failed=reason[-1])
    said, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
        code = main(["simulate", *asked, "-D", str(ours)])
    if complaint.getvalue().rstrip().endswith("[injection]"):
        return Step(number, made.words, document, failed="an event makes no sense to us, on purpose")
    if code != 0 or not ours.exists():
        return Step(number, made.words, document, differences=(("exit", (str(code), complaint.getvalue()[-400:])),))
    groups = judge().group_members(path)
    right = judge().from_text(expected.stdout, theirs.read_text(), None, groups)
    left = judge().from_text(said.getvalue(), ours.read_text(), None, groups)
    found = [(level, _lines(right[level], left[level])) for level in LEVELS if right[level] != left[level]]
    if not found and (text := _timeless(said.getvalue())) != _timeless(expected.stdout):
        found = [("text", _text(_timeless(expected.stdout), text))]
    return Step(number, made.words, document, differences=tuple(found))


def _timeless(text: str) -> str:
    """Without the moment in which something was injected, which both read from the clock."""
    return re.sub(r"(last-failure-\S+=)\d+", r"\1now", text)


def _lines(right: Counter[str], left: Counter[str]) -> tuple[str, ...]:
    missing = [f"- {line}" for line in sorted((right - left).elements())]
    return tuple([*missing, *(f"+ {line}" for line in sorted((left - right).elements()))][:12])


def _text(right: str, left: str) -> tuple[str, ...]:
    pairs = zip(right.splitlines(), left.splitlines(), strict=False)
    return next(((f"- {one}", f"+ {other}") for one, other in pairs if one != other), ("- length", "+ length"))
