"""A CIB of Pacemaker's, or a recorded state, may ask for no more than a configuration in files: a command would never end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.cib import Cib
from reconciler.cib.canonical import canonical_bytes
from reconciler.cli.planning.recorded import Snapshot, read_snapshot
from reconciler.errors import InputError
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib
from reconciler.language import load
from reconciler.model import bounds
from reconciler.model.bounds import excess
from reconciler.model.cluster import Configuration, Tag

CLONE = "<clone id='c{0}'><meta_attributes id='m{0}'><nvpair id='v{0}' name='clone-max' value='{1}'/></meta_attributes>{2}</clone>"
PRIMITIVE = "<primitive id='p{0}' class='ocf' provider='heartbeat' type='Dummy'/>"


def cib(resources: str, constraints: str = "", tags: str = "") -> bytes:
    inside = f"<crm_config/><nodes/><resources>{resources}</resources><constraints>{constraints}</constraints>{tags}"
    return (
        f"<cib validate-with='pacemaker-3.0' epoch='1'><configuration>{inside}</configuration><status/></cib>".encode()
    )


def clone(number: int, most: int, inside: str = PRIMITIVE) -> str:
    return CLONE.format(number, most, inside.format(number))


def group(number: int) -> str:
    members = "".join(PRIMITIVE.format(f"{number}-{member}") for member in range(100))
    return f"<group id='g{number}'>{members}</group>"


def tagged(count: int) -> bytes:
    """Two tags for so many resources each, in one colocation."""
    names = [f"r{number}" for number in range(count)]
    resources = "".join(f"<primitive id='{name}' class='ocf' provider='heartbeat' type='Dummy'/>" for name in names)
    references = "".join(f"<obj_ref id='{name}'/>" for name in names)
    tags = "".join(f"<tag id='{name}'>{references}</tag>" for name in ("s", "t"))
    return cib(resources, "<rsc_colocation id='x' rsc='s' with-rsc='t' score='1'/>", f"<tags>{tags}</tags>")


BUNDLE = "<bundle id='b'><docker image='i' {}='{}'/></bundle>"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (cib(clone(1, 1_000_000_000)), "too-many-instances"),
        (cib(clone(1, bounds.INSTANCES)), None),
        (cib("".join(clone(n, 1000, group(n)) for n in range(1))), "too-many-instances"),
        (cib("".join(clone(n, 500, group(n)) for n in range(1))), None),
        (cib(BUNDLE.format("replicas", 1001)), "too-many-instances"),
        (cib(BUNDLE.format("promoted-max", 10**9)), "too-many-instances"),
        (cib(BUNDLE.format("replicas", 3)), None),
        (tagged(317), "too-many-pairs"),
        (tagged(316), None),
    ],
    ids=["clone", "as many as may be", "groups", "fewer", "replicas", "promoted", "few replicas", "tags", "fewer tags"],
)
def test_a_cib_is_bounded(data: bytes, code: str | None) -> None:
    began = time.process_time()
    if code is None:
        assert not excess(read_cib(data).configuration, "")
    else:
        with pytest.raises(InputError) as refused:
            read_cib(data)
        assert [finding.code for finding in refused.value.findings] == [code]
    assert time.process_time() - began < 5


def test_a_recorded_state_is_bounded() -> None:
    configuration = read_cib(tagged(316)).configuration
    many = Tag("s", tuple(f"r{number}" for number in range(316)) * 2)
    wide = replace(configuration, tags=(many, *configuration.tags[1:]))
    for one, fits in ((configuration, True), (wide, False)):
        data = canonical_bytes(Snapshot(Cib(one)))
        if fits:
            read_snapshot(Path("x.json"), data)
            continue
        with pytest.raises(InputError) as refused:
            read_snapshot(Path("x.json"), data)
        assert [finding.code for finding in refused.value.findings] == ["too-many-pairs"]


def test_the_language_has_the_same_bounds() -> None:
    text = "primitives: {p: {agent: 'ocf:a:B'}}\nclones: {c: {resource: p, meta: {clone-max: 1001}}}\n"
    assert "too-many-instances" in [finding.code for finding in load({"a.yaml": text.encode()}).findings]
    assert excess(Configuration(), "") == ()
