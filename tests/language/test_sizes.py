"""What does not fit into an agent's environment is found, at its place, to the byte."""

from __future__ import annotations

import os

import pytest

from reconciler.errors import Finding
from reconciler.language import load

HEAD = "cluster: {options: {stonith-enabled: false}}\n"
AGENT = "agent: 'ocf:heartbeat:Dummy'"
MOST = 32 * 4096 - len("OCF_RESKEY_state=") - 1


def found(text: str) -> list[Finding]:
    loaded = load({"site.yaml": (HEAD + text).encode()}, strict=False, agents=None)
    return [finding for finding in loaded.findings if finding.code == "value-too-large"]


def takes(value: str) -> bool:
    """Whether the kernel starts a program with this variable."""
    child = os.fork()
    if not child:
        try:
            os.execve("/bin/true", ["true"], {"OCF_RESKEY_state": value})
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("character", ["x", "é"])
def test_the_longest_parameter_is_the_longest_that_the_kernel_takes(character: str) -> None:
    size = len(character.encode())
    for value, fits in ((character * (MOST // size), True), (character * (MOST // size + 1), False)):
        text = f"primitives:\n  a: {{{AGENT}, params: {{state: {value}}}}}\n"
        assert takes(value) is fits
        assert (found(text) == []) is fits


@pytest.mark.parametrize(
    "text",
    [
        f"primitives:\n  a: {{{AGENT}, params: {{state: BIG}}}}\n",
        f"templates:\n  t: {{{AGENT}, params: {{state: BIG}}}}\nprimitives: {{a: {{template: t}}}}\n",
        f"defaults:\n  resource-params:\n    state: BIG\nprimitives: {{a: {{{AGENT}}}}}\n",
        f"primitives:\n  a:\n    {AGENT}\n    meta:\n      x-note: BIG\n",
        f"primitives:\n  a:\n    {AGENT}\n    operations:\n      monitor:\n        interval: 10s\n        params:\n"
        "          state: BIG\n",
        f"primitives:\n  a: {{{AGENT}}}\ngroups:\n  g:\n    members: [a]\n    params:\n      state: BIG\n",
    ],
    ids=["primitive", "template", "defaults", "meta", "operation", "group"],
)
def test_it_is_found_at_its_place(text: str) -> None:
    before = (HEAD + text).partition("BIG")[0]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    findings = found(text.replace("BIG", "x" * 140_000))
    assert [(finding.place.line, finding.place.column) for finding in findings] == [(line, column)]
    assert found(text.replace("BIG", "small")) == []


def test_the_finding_does_not_repeat_the_value() -> None:
    (finding,) = found(f"primitives:\n  a: {{{AGENT}, params: {{state: {'x' * 140_000}}}}}\n")
    assert len(str(finding)) < 300
