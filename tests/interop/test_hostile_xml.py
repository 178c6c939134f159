"""XML from anywhere is read within bounds: a clear refusal, never a traceback, and never for long."""

from __future__ import annotations

import time

import pytest

from reconciler.errors import InputError
from reconciler.interop.reading.cib import read_cib, read_cib_with_warnings


def located(inside: str) -> bytes:
    location = f'<rsc_location id="l" rsc="a">{inside}</rsc_location>'
    return f"<cib><configuration><constraints>{location}</constraints></configuration></cib>".encode()


def chain(length: int, references: int) -> bytes:
    """Rules that refer to the next one, so many times each."""
    rules = (f'<rule id="r{n}">{f"""<rule id-ref="r{n + 1}"/>""" * references}</rule>' for n in range(length))
    return located("".join(rules) + f'<rule id="r{length}"/>')


REFUSED = {
    **{
        f"encoding {name}": f'<?xml version="1.0" encoding="{name}"?><cib/>'.encode()
        for name in ("x-unknown", "rot13", "idna", "utf-7", "unicode_escape", "zlib", "gb18030", "undefined")
    },
    "nothing": b"",
    "no text": b"\0\0\0",
    "half a character": b'<cib x="\xed\xa0\x80"/>',
    "deep": b"<cib>" + b"<a>" * 100_000,
    "references that multiply": chain(40, 2),
    "references that go deep": chain(4000, 1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_a_place_and_at_once(what: str) -> None:
    begun = time.process_time()
    with pytest.raises(InputError) as caught:
        read_cib(REFUSED[what], "a.xml")
    assert all(finding.place.file == "a.xml" for finding in caught.value.findings)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("encoding", ["UTF-8", "us-ascii", "ISO-8859-1"])
def test_plain_encodings_are_read(encoding: str) -> None:
    read_cib(f'<?xml version="1.0" encoding="{encoding}"?><cib/>'.encode())


def test_a_rule_that_refers_to_itself_is_left_out_of_itself() -> None:
    cib, findings = read_cib_with_warnings(located('<rule id="r"><rule id-ref="r"/></rule>'))
    assert [finding.code for finding in findings] == ["rule-in-itself"]
    assert cib.configuration.constraints[0].rules[0].expressions == ()
