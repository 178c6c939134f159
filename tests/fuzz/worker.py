"""A process that reads and decides hostile inputs: `python worker.py`, jobs on standard input, outcomes on standard output.

An outcome is a word, the seconds of processor time and the peak memory; what the program should never do is `crashed`, with the stack.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

from reconciler.cib import Cib
from reconciler.cli.planning import saved
from reconciler.controller.coordinator import UndecidedError
from reconciler.daemon.budget import Budget
from reconciler.errors import ReconcilerError
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib_with_warnings
from reconciler.language import load
from reconciler.model.date import Instant
from reconciler.scheduler import schedule

MEMORY_BYTES = 3 * 1024 * 1024 * 1024


def read_yaml(data: bytes, budget: Budget) -> str:
    """Judge a configuration and, if it is valid, decide about it."""
    loaded = load({"site.yaml": data}, strict=False, agents=None)
    if loaded.configuration is None:
        assert loaded.findings, "a refusal without a finding"
        return "refused"
    cib = replace(Cib(feature_set="3.16.1"), configuration=loaded.configuration)
    budget.decide(cib, lambda: schedule(cib, Instant(1_700_000_000)))
    return "decided"


def read_xml(data: bytes, budget: Budget) -> str:
    """Read a CIB and decide about it."""
    cib, _ = read_cib_with_warnings(data)
    budget.decide(cib, lambda: schedule(cib, Instant(1_700_000_000)))
    return "decided"


def read_plan(data: bytes, budget: Budget) -> str:
    """Read a saved plan."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        saved.read(Path(file.name))
    return "read"


KINDS = {"yaml": read_yaml, "graph": read_yaml, "shape": read_yaml, "xml": read_xml, "plan": read_plan}


def outcome(kind: str, data: bytes, budget: Budget) -> tuple[str, str]:
    """What became of an input, and the stack when that should not be."""
    try:
        return KINDS[kind](data, budget), ""
    except UndecidedError:
        return "undecided", ""
    except ReconcilerError:
        return "refused", ""
    except Exception:  # noqa: BLE001 - what it is looking for
        return "crashed", traceback.format_exc()


def main() -> None:
    """Answer jobs until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    budget = Budget()
    for line in sys.stdin.buffer:
        job = json.loads(line)
        began = time.process_time()
        word, stack = outcome(job["kind"], bytes.fromhex(job["data"]), budget)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps([word, time.process_time() - began, peak, stack]), flush=True)


if __name__ == "__main__":
    main()
