"""Lines on a terminal: broken between words, set in, and elsewhere left alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.terminal.wrapping import wrapped


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("short", "short"),
        ("  1  stop  " + "word " * 9 + "end", "  1  stop  " + "word " * 5 + "word\n      word word word end"),
        ("x" * 60, "x" * 60),
        ("a " + "x" * 60 + " b", "a\n    " + "x" * 60 + "\n    b"),
        ("\033[1;31m" + "word " * 8 + "\033[0m", "\033[1;31m" + "word " * 8 + "\033[0m"),
    ],
)
def test_a_line_is_broken_between_words_and_set_in(line: str, shown: str) -> None:
    assert wrapped(line, 41) == shown


@given(st.lists(st.text("abc\N{GREEK SMALL LETTER ALPHA}", min_size=1, max_size=50), max_size=40), st.integers(40, 90))
def test_no_word_is_lost_and_no_line_too_long(words: list[str], width: int) -> None:
    lines = wrapped(" ".join(words), width).split("\n")
    assert " ".join(lines).split() == words
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)


def test_what_is_no_terminal_or_too_narrow_is_left_alone() -> None:
    assert wrapped("word " * 30, None) == "word " * 30
    assert wrapped("word " * 30, 20) == "word " * 30


def test_a_plan_fits_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "cluster: {name: a-cluster-with-a-rather-long-name, options: {fencing-enabled: false}}\n"
        "primitives: {a-service: {agent: 'ocf:reconciler:Dummy'}, another-service: {agent: 'ocf:reconciler:Dummy'}}\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "columns", "60"], stdin=theirs, check=True)
    done = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "plan", "--offline", str(tmp_path)],
        stdout=theirs,
        env={**os.environ, "TERM": "dumb"},
    )
    done.wait(30)
    os.close(theirs)
    text = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    assert any(line.startswith("    ") for line in text.split("\n"))
    assert [line for line in text.split("\n") if len(line) > 60 and " " in line.strip()] == []
