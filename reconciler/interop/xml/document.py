"""An XML document read with bounds: no DOCTYPE, no entities, limited size; and findings that know their line.

Elements carry no line numbers while all is well. Only when there is something to say, the text is parsed
once more to find the line: a document without faults costs nothing for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from reconciler.errors import Finding, InputError, Place, Severity

LONGEST_BYTES = 256 * 1024 * 1024
"""Larger documents are refused."""

DEEPEST = 100
"""Documents nested deeper are refused; a CIB needs about ten levels."""


MOST_RULES = 100_000
"""Documents with more rules, references written out, are refused."""


class Document:
    """A parsed document: its root, look-ups by id, and the findings collected while it is read."""

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        self.root = _parse(data, file)
        self._data = data
        self._by_id: dict[tuple[str, str], Element | None] | None = None
        self._order: list[Element] | None = None
        self._rules = 0
        self._faults: list[tuple[Element, str, str, str, Severity]] = []

    def lookup(self, tag: str, id: str) -> Element | None:
        """The element of this tag and id anywhere in the document; None when there is none or more than one."""
        if self._by_id is None:
            self._by_id = {}
            for element in self.root.iter():
                if (name := element.get("id")) is not None:
                    key = (element.tag, name)
                    self._by_id[key] = None if key in self._by_id else element
        return self._by_id.get((tag, id))

    def resolve(self, element: Element) -> Element | None:
        """The element that an `id-ref` stands for, or the element itself without one; None when it refers to nothing."""
        reference = element.get("id-ref")
        if reference is None:
            return element
        target = self.lookup(element.tag, reference)
        if target is None:
            self.warn(
                element, "dangling-id-ref", f"<{element.tag}> refers to the id {reference!r}, which no or several have"
            )
        return target

    def children(self, owner: Element | None, tag: str) -> Iterator[Element]:
        """The children of the tag in document order, references resolved, those that refer to nothing left out."""
        for child in () if owner is None else owner:
            if child.tag == tag and (target := self.resolve(child)) is not None:
                yield target

    def remember_order(self) -> None:
        """Keep the order of elements for the places in findings: to be called before the tree is changed."""
        if self._order is None:
            self._order = list(self.root.iter())

    def count_rule(self, depth: int) -> None:
        """Count a rule that is read; references multiply them. Raises InputError beyond the bounds."""
        self._rules += 1
        if self._rules > MOST_RULES or depth > DEEPEST:
            text = f"more than {MOST_RULES:,} rules, or rules more than {DEEPEST} deep, once references are written out"
            raise refuse(self.file, "xml-too-large", text)

    def fail(self, element: Element, code: str, text: str, hint: str = "") -> None:
        """Note an error at an element."""
        self._faults.append((element, code, text, hint, Severity.ERROR))

    def warn(self, element: Element, code: str, text: str, hint: str = "") -> None:
        """Note a warning at an element."""
        self._faults.append((element, code, text, hint, Severity.WARNING))

    def findings(self) -> tuple[Finding, ...]:
        """Everything noted so far, with lines, in document order."""
        if not self._faults:
            return ()
        places = self._places()
        found = [
            Finding(code, Place(self.file, *places.get(element, (0, 0))), text, hint, severity)
            for element, code, text, hint, severity in self._faults
        ]
        return tuple(sorted(found, key=lambda finding: (finding.place, finding.code, finding.text)))

    def _places(self) -> dict[Element, tuple[int, int]]:
        """Where each element starts: the nth start tag of a second parse is the nth element."""
        starts: list[tuple[int, int]] = []
        parser = expat.ParserCreate()

        def note_start(_tag: str, _attributes: dict[str, str]) -> None:
            starts.append((parser.CurrentLineNumber, parser.CurrentColumnNumber + 1))

        parser.StartElementHandler = note_start
        parser.Parse(self._data, True)
        return dict(zip(self._order or self.root.iter(), starts, strict=True))


def refuse(file: str, code: str, text: str, line: int = 0, column: int = 0, hint: str = "") -> InputError:
    """The error for a document of which nothing can be used."""
    return InputError((Finding(code, Place(file, line, column), text, hint),))


def _parse(data: bytes, file: str) -> Element:
    """The root element. Raises InputError for what is no well-formed XML within the bounds."""
    if len(data) > LONGEST_BYTES:
        raise refuse(file, "xml-too-large", f"{len(data)} bytes of XML, and at most {LONGEST_BYTES} are read")
    _check_encoding(data, file)
    parser, builder = expat.ParserCreate(), TreeBuilder()
    parser.buffer_text = True

    def refuse_doctype(*_parts: object) -> None:
        raise refuse(
            file, "xml-doctype", "a DOCTYPE is not accepted", parser.CurrentLineNumber, hint="remove the declaration"
        )

    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise refuse(file, "xml-too-deep", f"nested deeper than {DEEPEST} levels", parser.CurrentLineNumber)
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        text = expat.errors.messages.get(error.code, str(error.code))
        raise refuse(file, "xml-malformed", f"not well-formed: {text}", error.lineno, error.offset + 1) from error
    return builder.close()


_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]{1,40})["']""")
_ENCODINGS = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"latin1", b"utf-16"})


def _check_encoding(data: bytes, file: str) -> None:
    """Refuse encodings that the parser does not know by itself: it would ask Python for them, which knows odd ones."""
    found = _ENCODING.match(data[:200])
    if found is not None and found[1].lower() not in _ENCODINGS:
        named = found[1].decode("ascii", "replace")
        raise refuse(file, "xml-encoding", f"the encoding {named} is not read", 1, hint="save the file as UTF-8")
