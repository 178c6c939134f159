"""Mutants tried in copies of one process: `ci/mutate` collects a package's tests once, and each mutant costs only the tests that it meets.

As a plugin of pytest this module collects all tests and then waits. For each mutant it makes a copy of itself (fork), gives the functions
of the copy the mutant's code, and runs the listed tests in it until one fails. Nothing that a mutant does outlives its copy.

It declines what would not be the mutant: code that runs when a module is loaded, and functions whose closures differ. Those want a
process of their own, and so does a function that ran while the tests were collected (`ci/mutate` knows which did).
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType

import pytest

DESCRIPTORS = "RECONCILER_COPIES"
"""Names the two descriptors: requests come from the first, answers go to the second, a line each."""
LEAST_CPU_S = 5.0
LONGER = 3.0
WAITING = 6.0
"""How many times as long as its processor time a test may take: the machine has other work."""


@dataclass(frozen=True)
class Request:
    """A mutant's text of a file (as it was loaded: `path`), and the tests to run, with the seconds that each of them took."""

    path: str
    text: str
    tests: list[tuple[str, float]]


def changes(old: CodeType, new: CodeType, loading: bool = True) -> list[tuple[CodeType, CodeType]] | None:
    """The functions that differ, before and after, the inner ones too; None when code differs that runs at loading."""
    if old == new:
        return []
    inner = [[one for one in code.co_consts if isinstance(one, CodeType)] for code in (old, new)]
    alike = [one.co_name for one in inner[0]] == [one.co_name for one in inner[1]]
    if loading and not (alike and _itself(old) == _itself(new)):
        return None
    found = [] if loading else [(old, new)]
    for one, other in zip(*inner, strict=True) if alike else ():
        more = changes(one, other, not one.co_flags & CO_OPTIMIZED)
        if more is None and loading:
            return None
        found += more or ()
    return found


def _itself(code: CodeType) -> tuple[object, ...]:
    """What a module or a class does at loading, but for the code of its functions."""
    constants = [one for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, [(type(one), one) for one in constants]


def live_functions() -> dict[CodeType, list[FunctionType]]:
    """Every function that there is, by its code."""
    found: dict[CodeType, list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType):
            found.setdefault(one.__code__, []).append(one)
    return found


def exchanges(request: Request, live: dict[CodeType, list[FunctionType]]) -> list[tuple[FunctionType, CodeType]] | None:
    """Which function gets which code; None when that would not be the mutant."""
    before, after = (compile(text, request.path, "exec", dont_inherit=True) for text in (_read(request), request.text))
    pairs = changes(before, after)
    if pairs is None:
        return None
    found = [
        (function, new)
        for old, new in pairs
        for function in live.get(old, ())
        if function.__code__.co_filename == request.path
    ]
    outermost = {new.co_qualname for old, new in pairs if "<locals>" not in new.co_qualname}
    if outermost - {new.co_qualname for _, new in found}:
        return None  # One of them is no longer there, or never was a function of its own.
    if any(function.__code__.co_freevars != new.co_freevars for function, new in found):
        return None
    return found or None


def _read(request: Request) -> str:
    return Path(request.path).read_text()


class Copies:
    """The plugin that answers requests instead of running what was collected."""

    def __init__(self, requests: int, answers: int) -> None:
        self.requests, self.answers = requests, answers
        self.failed: str | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer until no request comes any more: who noticed the mutant, null when nobody did; false when it was declined."""
        items = {item.nodeid: item for item in session.items}
        live = live_functions()
        gc.collect()
        gc.freeze()
        for line in os.fdopen(self.requests, encoding="utf-8"):
            request = Request(**json.loads(line))
            found = exchanges(request, live)
            answer = False if found is None else self._noticed(request, found, items)
            os.write(self.answers, json.dumps(answer).encode() + b"\n")
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = report.nodeid

    def _noticed(
        self, request: Request, exchanged: list[tuple[FunctionType, CodeType]], items: dict[str, pytest.Item]
    ) -> str | None:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os.setsid()
            self._live(request, exchanged, items, write)
        os.close(write)
        try:
            return _followed(read, dict(request.tests))
        finally:
            os.close(read)
            try:
                os.killpg(child, signal.SIGKILL)
            except ProcessLookupError:
                os.kill(child, signal.SIGKILL)  # It has not got its own group yet.
            os.waitpid(child, 0)

    def _live(
        self,
        request: Request,
        exchanged: list[tuple[FunctionType, CodeType]],
        items: dict[str, pytest.Item],
        write: int,
    ) -> None:
        """In the copy: say each test before it runs, and then its end."""
        code = 1
        try:
            for function, new in exchanged:
                function.__code__ = new
            known = [(items[name], seconds) for name, seconds in request.tests if name in items]
            for place, (item, seconds) in enumerate(known):
                os.write(write, json.dumps(item.nodeid).encode() + b"\n")
                # Processor time: what others do on the machine makes no mutant endless.
                signal.setitimer(signal.ITIMER_PROF, LEAST_CPU_S + LONGER * seconds)
                follower = known[place + 1][0] if place + 1 < len(known) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=follower)
                if self.failed is not None:
                    os.write(write, json.dumps([self.failed]).encode() + b"\n")
                    break
            else:
                os.write(write, b"null\n")
            code = 0
        finally:
            os._exit(code)


def _followed(read: int, seconds: dict[str, float]) -> str | None:
    """What the copy says in the end; a test that ends the copy or does not end has noticed the mutant, too."""
    running = "before the tests"
    for line in _lines(read, lambda: WAITING * (LEAST_CPU_S + LONGER * seconds.get(running, 0.0))):
        match json.loads(line):
            case str() as running:
                continue
            case [str() as failed]:
                return failed
            case _:
                return None
    return f"{running} (did not end)"


def _lines(read: int, patience: Callable[[], float]) -> Iterator[bytes]:
    """The lines that come, each within the patience."""
    rest = b""
    until = time.monotonic() + patience()
    while select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        if not (more := os.read(read, 1 << 16)):
            return
        *lines, rest = (rest + more).split(b"\n")
        for line in lines:
            yield line
            until = time.monotonic() + patience()


def pytest_configure(config: pytest.Config) -> None:
    """Do what the environment asks for."""
    if names := os.environ.get(DESCRIPTORS):
        requests, answers = map(int, names.split())
        config.pluginmanager.register(Copies(requests, answers))
