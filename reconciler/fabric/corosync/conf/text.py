"""The form of corosync.conf: lines that open a section, close one, set a value, or say nothing. Every line is kept as it was written."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import Finding, InputError, Place
from reconciler.frozen import frozen

LARGEST_CONF_BYTES = 256 * 1024
LONGEST_LINE = 510
"""What corosync's own reader takes."""
_DEEPEST = 16
_MOST_FINDINGS = 50
_BLANKS = " \t\r\v\f"


@frozen
class Remark:
    """A line that says nothing to corosync: a comment, or an empty one."""

    raw: str


@frozen
class ConfSetting:
    """`key: value`. `raw` is the line as it was written."""

    key: str
    value: str
    raw: str
    place: Place


@frozen
class ConfSection:
    """A section and what is in it. `opening` and `closing` are its first and last line as they were written."""

    name: str
    items: tuple[ConfItem, ...]
    opening: str
    closing: str
    place: Place


ConfItem = Remark | ConfSetting | ConfSection


@frozen
class Conf:
    """A corosync.conf: what is in it outside of any section. `file` is what places name."""

    file: str
    items: tuple[ConfItem, ...]


def parse(file: str, data: bytes) -> Conf:
    """The bytes of a file as a value. **Raises** InputError with the places of what corosync could not read.

    `render` gives the same bytes again, but for a last line without an end, which gets one.
    """
    if len(data) > LARGEST_CONF_BYTES:
        raise InputError((_fault(file, 0, f"the file is larger than {LARGEST_CONF_BYTES // 1024} KiB"),))
    # Comments may be in any encoding; what can't be read is given back as it came.
    reader = _ConfReader(file, data.decode("utf-8", "surrogateescape"))
    items = reader.section_body(0, None)
    if reader.findings:
        raise InputError(tuple(sorted(reader.findings, key=lambda finding: finding.place)))
    return Conf(file, items)


def render(conf: Conf) -> bytes:
    """The file that a value stands for."""
    return "".join(f"{line}\n" for line in _lines(conf.items)).encode("utf-8", "surrogateescape")


def sections(items: tuple[ConfItem, ...], name: str) -> tuple[ConfSection, ...]:
    """The sections of a name that are directly there."""
    return tuple(one for one in items if isinstance(one, ConfSection) and one.name == name)


def settings(items: tuple[ConfItem, ...]) -> dict[str, ConfSetting]:
    """The values that are directly there: of a key that is set twice, the later one counts, as for corosync."""
    return {one.key: one for one in items if isinstance(one, ConfSetting)}


def value_at(conf: Conf, *path: str) -> ConfSetting | None:
    """What is set at a path of sections and a key; None where nothing is."""
    levels = [conf.items]
    for name in path[:-1]:
        levels = [section.items for items in levels for section in sections(items, name)]
    found = [one for items in levels for key, one in settings(items).items() if key == path[-1]]
    return found[-1] if found else None


class _ConfReader:
    """Reads line by line. A fault is noted and the line left out, so that all faults are told at once."""

    def __init__(self, file: str, text: str) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._lines = text.removesuffix("\n").split("\n") if text else []
        self._at = 0
        self.closing = ""

    def section_body(self, depth: int, opened: Place | None) -> tuple[ConfItem, ...]:
        """What stands before the end of a section, or of the file; the line that ends it is left in `closing`."""
        items: list[ConfItem] = []
        while self._at < len(self._lines) and len(self.findings) < _MOST_FINDINGS:
            raw = self._lines[self._at]
            self._at += 1
            bare = raw.strip(_BLANKS)
            if len(raw.encode("utf-8", "surrogateescape")) > LONGEST_LINE:
                self._note(f"the line is longer than {LONGEST_LINE} bytes, which corosync does not read")
            elif not bare or bare.startswith("#"):
                items.append(Remark(raw))
            elif "\0" in bare:
                self._note("the line has a zero byte")
            elif "{" in bare:
                items += self._section(raw, bare, depth)
            elif ":" in bare:
                key, _, value = bare.partition(":")
                items.append(ConfSetting(key.strip(_BLANKS), value.strip(_BLANKS), raw, self._place))
            elif bare == "}" and opened is not None:
                self.closing = raw
                return tuple(items)
            elif "}" in bare:
                self._note("there is no section to close" if bare == "}" else "a `}` must stand alone on its line")
            else:
                self._note("the line neither opens nor closes a section, nor sets a value", "write `key: value`")
        if opened is not None and not self.findings:  # Else what was left out may have been its end.
            self.findings.append(Finding("corosync-syntax", opened, "the section is never closed", "add a line `}`"))
        return tuple(items)

    def _section(self, raw: str, bare: str, depth: int) -> Iterator[ConfSection]:
        name, _, rest = bare.partition("{")
        place = self._place
        if rest:
            self._note("something follows a `{` on its line")
        elif not name:
            self._note("the section has no name")
        if depth >= _DEEPEST:
            self._note(f"sections are nested more than {_DEEPEST} deep")
            self._at = len(self._lines)
            return
        items = self.section_body(depth + 1, place)
        yield ConfSection(name.strip(_BLANKS), items, raw, self.closing, place)

    @property
    def _place(self) -> Place:
        return Place(self._file, self._at)

    def _note(self, text: str, hint: str = "") -> None:
        self.findings.append(_fault(self._file, self._at, text, hint))


def _fault(file: str, line: int, text: str, hint: str = "") -> Finding:
    return Finding("corosync-syntax", Place(file, line), text, hint)


def _lines(items: tuple[ConfItem, ...]) -> Iterator[str]:
    for one in items:
        if isinstance(one, ConfSection):
            yield one.opening
            yield from _lines(one.items)
            yield one.closing
        else:
            yield one.raw
