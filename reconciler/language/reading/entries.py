"""What readers of values share: the file at hand, the findings, and the index of where everything was written."""

from __future__ import annotations

from reconciler.errors import Finding, Place, Severity
from reconciler.language.text.document import Value
from reconciler.language.text.findings import Findings
from reconciler.model.cluster import Address


class Index:
    """Where values were written: `values` by address, `keys` where the name in front of each value stands."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.values: dict[Address, Place] = {}
        self.keys: dict[Address, Place] = {}

    def record(self, file: str, address: Address, value: Value) -> None:
        """Remember a value and everything below it."""
        waiting = [(address, value)]
        while waiting:
            at, part = waiting.pop()
            self.values[at] = Place(file, part.line, part.column)
            for key, below in part.values.items():
                child = (*at, key)
                self.keys[child] = Place(file, *part.key_places[key])
                waiting.append((child, below))
            for number, item in enumerate(part.items):
                waiting.append(((*at, str(number)), item))

    def below(self, address: Address) -> list[Address]:
        """The addresses of the names directly below an address."""
        length = len(address) + 1
        return [known for known in self.keys if len(known) == length and known[:-1] == address]

    def value(self, *addresses: Address) -> Place:
        """Where the first of these addresses was written, or the nearest thing around it; unknown when nothing was."""
        return _nearest(self.values, addresses)

    def key(self, *addresses: Address) -> Place:
        """Where the name of the first of these addresses was written, or the nearest thing around it."""
        return _nearest(self.keys, addresses)


def _nearest(known: dict[Address, Place], addresses: tuple[Address, ...]) -> Place:
    for address in addresses:
        if address in known:
            return known[address]
    for address in addresses:
        for length in range(len(address) - 1, 0, -1):
            if address[:length] in known:
                return known[address[:length]]
    return Place("configuration")


class Entry:
    """A named value of a section: its name, its file, its value and where the name stands."""

    __slots__ = ("address", "file", "findings", "name", "place", "value")

    def __init__(self, name: str, file: str, value: Value, place: Place, address: Address, findings: Findings) -> None:
        self.name = name
        self.file = file
        self.value = value
        self.place = place
        self.address = address
        self.findings = findings

    def error(self, code: str, value: Value, text: str, hint: str = "") -> None:
        """Report a fault of a value."""
        self.findings.error(code, self.file, (value.line, value.column), text, hint)

    def warning(self, code: str, value: Value, text: str, hint: str = "") -> None:
        """Report what is accepted but should not stay."""
        place = Place(self.file, value.line, value.column)
        self.findings.add(Finding(code, place, text, hint, Severity.WARNING))

    def key_warning(self, code: str, parent: Value, key: str, text: str, hint: str = "") -> None:
        """Report a key that is accepted but should not stay."""
        place = Place(self.file, *parent.key_places[key])
        self.findings.add(Finding(code, place, text, hint, Severity.WARNING))

    def text(self, key: str, of: Value | None = None) -> str | None:
        """The source text of a key's scalar; None when the key is absent."""
        value = (self.value if of is None else of).get(key)
        return None if value is None else value.text

    def texts(self, value: Value | None) -> tuple[str, ...]:
        """The source texts of a list's items; empty without a list."""
        return () if value is None else tuple(item.text for item in value.items)

    def pairs(self, value: Value | None) -> dict[str, str]:
        """A map's names and source texts; empty without a map."""
        return {} if value is None else {name: part.text for name, part in value.values.items()}
