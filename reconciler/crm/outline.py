"""Nested lists as Pacemaker's programs print them: with titles and bullets, or bare.

Source: the scheduler's specification, part 1, section 18.1; observation of `crm_simulate` with and without `--text-fancy`.
"""

from __future__ import annotations


class Outline:
    """Lines of nested lists. Bare (`fancy` false) means no titles, bullets, indents nor labels."""

    def __init__(self, *, fancy: bool = True) -> None:
        self.lines: list[str] = []
        self._fancy = fancy
        self._depth = 0

    def begin(self, title: str) -> None:
        """Open a list; its title is printed at once."""
        if self._fancy:
            self.lines.append(f"{self._margin()}{title}:")
        self._depth += 1

    def end(self) -> None:
        """Close the innermost list."""
        self._depth -= 1

    def item(self, text: str, label: str = "") -> None:
        """Print an item of the innermost list; a label is left out when bare."""
        if self._fancy:
            self.lines.append(f"{self._margin()}{label + ': ' if label else ''}{text}")
        else:
            self.lines.append(text)

    def plain(self, text: str) -> None:
        """Print a line without bullet and indent."""
        self.lines.append(text)

    def blank(self) -> None:
        """Print an empty line."""
        self.lines.append("")

    def _margin(self) -> str:
        return "  " * self._depth + "* " if self._depth else ""
