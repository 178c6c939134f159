"""A person with a guide: types its blocks on the machines that stand above them, and answers what is asked."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .machines import Machine, MachineError

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
_FENCE = re.compile(r"^```(?P<kind>[a-z]+)(?: (?P<word>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWERS = {b"(yes/no/[fingerprint])? ": b"yes\n", b"Make these changes? [y/N] ": b"y\n"}
"""What a person says to what programs ask; whatever else asks waits in vain."""
_PATIENCE_S = 200
_AT_HOME = {
    "HOME": "/root",
    "TERM": "dumb",
    "GIT_AUTHOR_NAME": "Operator",
    "GIT_AUTHOR_EMAIL": "operator@example.org",
    "GIT_COMMITTER_NAME": "Operator",
    "GIT_COMMITTER_EMAIL": "operator@example.org",
}


@dataclass(frozen=True)
class Block:
    """One block of commands: on which machines it is to be typed, and its text."""

    on: str
    text: str


class Guide:
    """The blocks of a guide in their order. Only those count that say on which machines they are typed."""

    def __init__(self, name: str) -> None:
        matches = list(_FENCE.finditer((GUIDES / name).read_text()))
        self._blocks = [Block(one["word"], one["text"]) for one in matches if one["kind"] == "sh" and one["word"]]
        self.configuration = next(one["text"] for one in matches if one["kind"] == "yaml" and not one["word"])
        """The configuration that it has as a whole."""

    def next(self, begins: str) -> Block:
        """The next block, which has to begin so: what a guide says in another order is not what was tried."""
        block = self._blocks.pop(0)
        assert block.text.startswith(begins), f"the next block is not {begins!r}: {block.text}"
        return block

    @property
    def left(self) -> Sequence[Block]:
        """The blocks that were not typed."""
        return self._blocks


def type_on(machines: Sequence[Machine], block: Block, **environment: str) -> Mapping[str, str]:
    """What is printed on each of these machines. **Raises** MachineError where one of the commands fails."""
    with ThreadPoolExecutor(len(machines)) as pool:
        done = pool.map(lambda each: _typed(each, block.text, environment), machines)
        return {each.name: told for each, told in zip(machines, done, strict=True)}


def _typed(machine: Machine, text: str, environment: Mapping[str, str]) -> str:
    machine.put("/run/block", text)
    words = ("script", "--quiet", "--return", "--flush", "--command", "cd /root && bash -e /run/block", "/dev/null")
    command = machine.words(*words, **_AT_HOME, **environment)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as typed:
        end = threading.Timer(_PATIENCE_S, typed.kill)
        end.start()
        told = _answered(typed)
        end.cancel()
    if typed.returncode:
        raise MachineError(f"{machine.name}: {text}: {typed.returncode}: {told}")
    return told


def _answered(typed: subprocess.Popen[bytes]) -> str:
    """All that is printed, with each question answered as soon as it stands there."""
    assert typed.stdin is not None
    assert typed.stdout is not None
    told, seen = b"", 0
    while more := os.read(typed.stdout.fileno(), 65536):
        told += more
        for question, answer in _ANSWERS.items():
            if told.endswith(question) and len(told) > seen:
                time.sleep(0.1)  # It may throw away what was typed before it was ready.
                typed.stdin.write(answer)
                typed.stdin.flush()
                seen = len(told)
    return told.decode(errors="replace").replace("\r\n", "\n")
