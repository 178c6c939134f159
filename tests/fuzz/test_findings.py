"""What the fuzzer found once is tried again, and the fuzzer itself finds what it looks for (`ci/fuzz` runs it for longer)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from .inputs import commit_object, file_name, graph, request
from .run import Run
from .targets import Worker, Wrong

READERS = ("yaml", "graph", "shape", "xml", "plan")
FINDINGS = [
    path for path in sorted((Path(__file__).parent / "findings").glob("*-*")) if path.name.partition("-")[0] in READERS
]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.name)
def test_an_input_that_was_found_is_answered(worker: Worker, path: Path) -> None:
    kind = path.name.partition("-")[0]
    assert worker.try_input(kind, path.read_bytes()).seconds < 10


def test_what_crashes_a_reader_and_what_ends_it_is_noticed(worker: Worker) -> None:
    with pytest.raises(Wrong, match="KeyError"):
        worker.try_input("no such kind", b"")
    process = worker._running()
    process.kill()
    process.wait()
    assert worker.try_input("yaml", b"[").word == "refused", "another one takes its place"


def test_some_inputs_of_each_reader(tmp_path: Path) -> None:
    run = Run(tmp_path, 0, None)
    for kind in READERS:
        for _ in range(25 if kind != "graph" else 4):
            run.turn(kind)
    run.stop()
    assert run.findings == 0, run.report()
    assert run.counts["shape"]["decided"] >= 9, "what keeps its form gets as far as a decision"
    assert {kind: sum(counts.values()) for kind, counts in run.counts.items()} == {
        "yaml": 25,
        "graph": 4,
        "shape": 25,
        "xml": 25,
        "plan": 25,
    }


def test_inputs_follow_from_the_seed() -> None:
    for make in (graph, request, file_name, lambda dice: commit_object("0" * 40, "1" * 40, dice)):
        assert [make(random.Random(n)) for n in range(20)] == [make(random.Random(n)) for n in range(20)]
        assert len({make(random.Random(n)) for n in range(20)}) > 10
