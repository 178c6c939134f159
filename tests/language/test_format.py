"""Formatting: canonical, kept comments, and never another meaning."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from configurations import configuration_of

from reconciler.language.text.findings import Findings
from reconciler.language.text.layout import FormatError, comments_of
from reconciler.language.writing.files import to_text
from reconciler.language.writing.formatting import format_file


def formatted(text: str) -> str:
    findings = Findings()
    result = format_file("a.yaml", text.encode(), findings)
    assert result is not None, findings.sorted()
    return result


UNTIDY = """\
# The site.
# Second line.

constraints:   # how it belongs together
    # first comes the address
    orders:
        "apache-after-ip": { then: web, first: 'ip' ,kind: Mandatory}   # important

primitives:
    web:
        # what runs it
        operations:
            monitor:
                - interval: 1min   # often
                  timeout: "20s"

                # the other
                - {interval: 2min,
                   role: Promoted}   # rarely
        params: {b: 1.10, a: 'yes', c: 0644,
                 d: # lost?
                   "text"}
        agent: "ocf:heartbeat:apache"
    ip: {agent: ocf:heartbeat:IPaddr2, description: x}
# the end
"""

TIDY = """\
# The site.
# Second line.

primitives:
  web:
    agent: ocf:heartbeat:apache
    params: {b: 1.10, a: 'yes', c: '0644', d: text}  # lost?
    # what runs it
    operations:
      monitor:
        - interval: 1min  # often
          timeout: 20s

        # the other
        - {interval: 2min, role: Promoted}  # rarely
  ip: {agent: ocf:heartbeat:IPaddr2, description: x}

constraints:  # how it belongs together
  # first comes the address
  orders:
    apache-after-ip: {first: ip, then: web, kind: Mandatory}  # important
# the end
"""


def test_an_untidy_file_becomes_tidy() -> None:
    assert formatted(UNTIDY) == TIDY


def test_a_tidy_file_stays() -> None:
    assert formatted(TIDY) == TIDY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "primitives:\n  # inside\n  a: {agent: 'ocf:x:y'}\n\n\n  # between\n\n  b: {agent: 'ocf:x:y'}\n  # after\n",
        "secrets:\n  s:\n    age: |  # the header\n      # no comment\n      line\n  # below\n  t: {age: x}\n",
        "nodes:\n  n1:  # alone\n  n2: {}\n",
        "tags: {t: [a,\n # one\n b, # two\n c]}\n",
        "# yaml-language-server: $schema=x\nprimitives: {}\ncluster: {}\n",
        "primitives:\n  a:\n    agent: 'ocf:x:y'\n    params: {'a b': \"#no\", c: 'it''s', d: \"x\\ty\"}\n",
    ],
)
def test_what_is_written_stays(text: str) -> None:
    result = formatted(text)
    assert comments_of(result) == comments_of(text)
    assert formatted(result) == result


@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.integers(0, 2**32))
def test_what_is_emitted_is_canonical(seed: int) -> None:
    text = to_text(configuration_of(seed))
    assert formatted(text) == text


@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_comments_anywhere_are_kept_or_the_file_is_left(seed: int, random: object) -> None:
    lines = to_text(configuration_of(seed)).splitlines()
    for number in range(random.randint(0, 8)):  # type: ignore[attr-defined]  # A random.Random.
        at = random.randint(0, len(lines))  # type: ignore[attr-defined]  # The same.
        indent = " " * random.randint(0, 6)  # type: ignore[attr-defined]  # The same.
        lines.insert(at, f"{indent}# comment {number}")
    text = "".join(f"{line}\n" for line in lines)
    findings = Findings()
    try:
        result = format_file("a.yaml", text.encode(), findings)
    except FormatError:
        return
    if result is not None:
        assert comments_of(result) == comments_of(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x {b: 1}\nc: *x\n", "anchor"),
        ("a: 1\n---\nb: 2\n", "several documents"),
        ("- a\n", "holds no map"),
        ("%YAML 1.1\n---\na: 1\n", "directive"),
    ],
)
def test_what_can_not_be_kept_is_refused(text: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        format_file("a.yaml", text.encode(), Findings())


def test_a_file_that_is_no_yaml_is_refused_with_its_place() -> None:
    findings = Findings()
    assert format_file("a.yaml", b"a: [1\nb: 2\n", findings) is None
    assert [finding.place.line for finding in findings.sorted()] == [2]


PLACED = """\
primitives:
  # before web
  web:
    params:
      b: 1
      # at the end of the parameters
    operations:
      monitor: {interval: 10s}
      # at the end of the operations
    # about the agent
    agent: ocf:heartbeat:apache
    # at the end of web
  # at the end of the primitives

groups:
  g:
    members:
      - a
      # at the end of the members
    # at the end of g
fencing:
  levels:
    - index: 1
      # about the devices
      devices: [d]
      target: n1
      # at the end of the level
    # at the end of the levels
# at the end of the file
"""

KEPT = """\
primitives:
  # before web
  web:
    # about the agent
    agent: ocf:heartbeat:apache
    params:
      b: 1
      # at the end of the parameters
    operations:
      monitor: {interval: 10s}
      # at the end of the operations
    # at the end of web
  # at the end of the primitives

groups:
  g:
    members:
      - a
      # at the end of the members
    # at the end of g
fencing:
  levels:
    - target: n1
      index: 1
      # about the devices
      devices: [d]
      # at the end of the level
    # at the end of the levels
# at the end of the file
"""


def test_a_comment_stays_with_what_it_is_indented_like() -> None:
    assert formatted(PLACED) == KEPT
    assert formatted(KEPT) == KEPT


def test_nothing_in_brackets_stays_nothing() -> None:
    text = "nodes: {n1: , n2: {attributes: {a: 1}}, n3: }\n"
    assert formatted(text) == text
