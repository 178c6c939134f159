"""A configuration without fault, and texts with faults planted in it.

In a planted text `«` stands right before each place where a finding must be; it is taken out before the text is read.
"""

from __future__ import annotations

from reconciler.errors import Severity
from reconciler.language import Loaded, load

CLEAN = """\
cluster:
  name: web
  options: {no-quorum-policy: stop, fencing-timeout: 90s}

nodes:
  n1: {attributes: {rack: a}, utilization: {cpu: 4}}
  n2: {}

templates:
  vm: {agent: 'ocf:heartbeat:VirtualDomain', operations: {monitor: {interval: 30s}}}

primitives:
  ip:
    agent: ocf:heartbeat:IPaddr2
    params: {ip: 10.0.0.1}
    operations: {monitor: {interval: 30s}}
  web: {agent: 'ocf:heartbeat:apache', meta: {migration-threshold: 3, failure-timeout: 10min}}
  db: {agent: 'systemd:postgresql'}
  drbd: {agent: 'ocf:linbit:drbd'}
  guest: {template: vm}
  d1: {agent: 'ocf:heartbeat:Dummy'}
  d2: {agent: 'ocf:heartbeat:Dummy'}

groups:
  site: {members: [ip, web]}

clones:
  disks: {resource: drbd, promotable: true, meta: {clone-max: 2, notify: true}}

constraints:
  locations:
    prefer: {resource: site, node: n1, prefer: 50}
    by-rule: {resource: db, rule: rack eq a and date gt 2026-01-01, score: 10}
  colocations:
    db-with-disks: {resource: db, with: disks, with-role: Promoted, score: require}
  orders:
    promote-first: {first: disks, first-action: promote, then: db, then-action: start}

fencing:
  devices:
    f1: {agent: 'stonith:fence_ipmilan', params: {pcmk_host_list: n1 n2}}
  levels:
    - {target: n1, index: 1, devices: [f1]}

tags: {everything: [site, db]}
"""


def judged(text: str, **rest: object) -> Loaded:
    return load({"c.yaml": text.encode()}, **rest)  # type: ignore[arg-type]  # Keywords as they are.


def planted(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and where they stood."""
    places = []
    while (index := text.find("«")) >= 0:
        before = text[:index]
        places.append((before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1))
        text = text[:index] + text[index + 1 :]
    return text, places


def change(*replacements: tuple[str, str]) -> str:
    """The clean text with parts replaced, each of which must be there."""
    text = CLEAN
    for old, new in replacements:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


def add(section: str, line: str, *more: tuple[str, str]) -> str:
    """The clean text with a line added to a section."""
    text = change(*more)
    head = f"\n{section}:" if f"\n{section}:" in text else f"\n  {section}:"
    assert text.count(head) == 1, section
    indent = "  " if head.startswith(f"\n{section}") else "    "
    return text.replace(head, f"{head}\n{indent}{line}" if f"{head}\n" in text else head)


def assert_refused(code: str, marked: str) -> None:
    """The text has errors of exactly this code, at the marked places, and gives no configuration."""
    text, places = planted(marked)
    answer = judged(text)
    assert_found(answer, code, places)
    assert answer.configuration is None
    assert {finding.severity for finding in answer.findings} == {Severity.ERROR}


def assert_found(answer: Loaded, code: str, places: list[tuple[int, int]]) -> None:
    found = [(finding.code, (finding.place.line, finding.place.column)) for finding in answer.findings]
    assert found == [(code, place) for place in places], "\n".join(str(finding) for finding in answer.findings)
