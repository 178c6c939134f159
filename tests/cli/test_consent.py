"""Nothing is done on anybody's word but a yes at a terminal."""

from __future__ import annotations

import io

import pytest

from reconciler.cli.terminal.consent import NotConfirmed, confirm


class Terminal(io.StringIO):
    """Somebody who types these lines, and then goes away."""

    def isatty(self) -> bool:
        return True


def asked(monkeypatch: pytest.MonkeyPatch, typed: io.StringIO, shown: list[str] | None = None) -> None:
    monkeypatch.setattr("sys.stdin", typed)
    answers = None if shown is None else {"d": lambda: shown.append("differences")}
    confirm("Do it? [y/N] ", unasked="nobody is there", refused="not done", answers=answers)


@pytest.mark.parametrize("word", ["y\n", "yes\n", " YES \n", "Y"])
def test_a_yes_is_a_yes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str) -> None:
    asked(monkeypatch, Terminal(word))
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Do it? [y/N] "), "what a program reads has no question in it"


@pytest.mark.parametrize("word", ["", "\n", "n\n", "no\n", "yeah\n", "d\n", "\x00y\n"])
def test_anything_else_is_a_no(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    with pytest.raises(NotConfirmed, match="not done") as caught:
        asked(monkeypatch, Terminal(word + "y\n" if word else ""))
    assert (caught.value.code, caught.value.exit_code) == ("consent", 3)


def test_nobody_is_asked_where_nobody_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotConfirmed, match="nobody is there"):
        asked(monkeypatch, io.StringIO("yes\n"))


def test_who_wants_to_see_more_is_asked_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    asked(monkeypatch, Terminal("d\nd\ny\n"), shown)
    assert shown == ["differences"] * 2
    assert capsys.readouterr().err.count("Do it?") == 3
    with pytest.raises(NotConfirmed):
        asked(monkeypatch, Terminal("d\nwhat\n"), shown)
