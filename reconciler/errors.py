"""Every deliberate error of the program, and who must act on it.

An error raised on purpose is a `ReconcilerError` with a remedy. A fault in what an operator wrote is no
exception but a `Finding`: a value with a stable code and a place, so that all findings of a run can be shown together.
What an agent answers is no error either: it is a result.
"""

from __future__ import annotations

import enum

from reconciler.frozen import frozen
from reconciler.printable import printable


class Remedy(enum.Enum):
    """Who must act on an error, and so what the one handler around the loop does with it."""

    FIX_INPUT = "fix-input"
    """The operator: what was given can't be accepted. Nothing was changed."""
    RETRY = "retry"
    """Time: the same call may go through later. What was in force stays in force."""
    STOP = "stop"
    """The program: an invariant is broken, and going on would risk data."""


class ReconcilerError(Exception):
    """A deliberate error: says what was attempted; the cause speaks for itself (`raise … from`).

    `code` is stable and documented; `exit_code` is what a command ends with when nothing handles it.
    """

    remedy: Remedy = Remedy.FIX_INPUT
    code: str = "error"
    exit_code: int = 1


class Severity(enum.Enum):
    """How bad a finding is: an error refuses the input, a warning does so only with `--strict`."""

    ERROR = "error"
    WARNING = "warning"


@frozen(order=True)
class Place:
    """A place in a file that a person wrote: line and column count from 1, and 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(part) for part in (self.line, self.column) if part)])


@frozen
class Finding:
    """One fault in the input: a stable code, where, what was found, and what to do about it."""

    code: str
    place: Place
    text: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return printable(f"{self.place}: {self.severity.value}: {self.text}{hint} [{self.code}]")


class InputError(ReconcilerError):
    """The input has findings that are errors; nothing of it was used."""

    code = "input"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings
