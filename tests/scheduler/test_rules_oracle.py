"""How texts of dates, ranges and numbers in rules are read: every row is put to both programs."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from published_cases import needs_oracle, oracle

from reconciler.crm.simulate import for_conformance

NOW = 1_709_164_800
"""2024-02-29 00:00:00 UTC."""

RANGES = (
    " 2024 ", "2024", " 2024", "2024 ", "+2024", "2024 -", "2023 - 2025", "2023- 2025", "2023-2025 ", "2023--2025",
    "--2025", "2024x", "x2024", "2024-bogus", "bogus", "", "-", "--", "99999999999999999999", "-99999999999999999999",
    "2020-99999999999999999999", "99999999999999999999-", "2147483648", "0-4294969320", "0x7e8", "2024.5",
    "2023-2025-2026", "-2025", "- 2025", "-x", "-2025x", "3000-x", "3000-2000", "-2023-2025", "2022-2022.5",
)  # fmt: skip
DATES = (
    "2024059", "2024060", "2024061", "2024366", "202406", "20240", "2024", "20240229", "20240230", "20240600",
    "20240100", "2024-06-00", "2024-1-0", "2024-02-291", "2024-02-030", "2024-002-1", "2024-123-4", "+2024-02-03",
    "2024-60", "2024-0060", "2024-366", "2024-W09-4", "2024-W9-5", "2024-W09-8", "2024-W53-1", "2024W095",
    "2024-02-29T00:00:01", "2024060T01:00:00", "20240229T1", "20240229123456", "2024-02-29-", "epoch", "9999999",
)  # fmt: skip
NUMBERS = (
    "-INFINITY", "INFINITY", "inf", "nan", "0x10", "0x", "0xg", "0x1p4", "5", "5.5", " 5", "5 ", "+5", "1e3", "1e",
    "1e999", "-1e999", "1e-999", "abc", "5abc", ".", ".5", "5.", "", "08",
)  # fmt: skip


@needs_oracle
@pytest.mark.parametrize("year", [2022, 2024, 2026])
def test_ranges(year: int, tmp_path: Path) -> None:
    specifications = [
        f'<date_expression id="ID" operation="date_spec"><date_spec id="IDs" years={quoteattr(text)}/></date_expression>'
        for text in RANGES
    ]
    assert_same(specifications, {}, NOW + (year - 2024) * 366 * 86_400, tmp_path)


@needs_oracle
@pytest.mark.parametrize("days", [-59, -1, 0, 1, 100, 306])
def test_dates(days: int, tmp_path: Path) -> None:
    before = [f'<date_expression id="ID" operation="lt" end={quoteattr(text)}/>' for text in DATES]
    after = [f'<date_expression id="ID" operation="gt" start={quoteattr(text)}/>' for text in DATES]
    assert_same(before + after, {}, NOW + days * 86_400, tmp_path)


@needs_oracle
@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize("operation", ["lt", "eq"])
def test_numbers(kind: str, operation: str, tmp_path: Path) -> None:
    attributes = {f"a{number}": text for number, text in enumerate(NUMBERS)}
    expressions = [
        f'<expression id="ID" attribute="{name}" operation="{operation}" value={quoteattr(text)} type="{kind}"/>'
        for name, text in product(attributes, NUMBERS)
    ]
    for begin in range(0, len(expressions), 125):
        assert_same(expressions[begin : begin + 125], attributes, NOW, tmp_path)


def assert_same(expressions: list[str], attributes: dict[str, str], now_s: int, directory: Path) -> None:
    """Both programs say of each expression the same: whether it holds on the one node."""
    path = directory / "cib.xml"
    path.write_text(_cib(expressions, attributes, now_s))
    theirs = _holding(oracle("crm_simulate", "-x", path, "-S", "-s", "--text-fancy").stdout)
    ours = _holding(for_conformance(str(path), [])[0])
    assert len(theirs) == len(expressions)
    assert [text for number, text in enumerate(expressions) if theirs[number] != ours.get(number)] == []


_ID = "ID"


def _holding(text: str) -> dict[int, bool]:
    return {
        int(found[1]): found[2] == "500"
        for found in re.finditer(r"assign: r(\d+) allocation score on node1: (\S+)", text)
    }


def _cib(expressions: list[str], attributes: dict[str, str], now_s: int) -> str:
    resources = "".join(
        f'<primitive id="r{number}" class="ocf" provider="pacemaker" type="Dummy"/>'
        for number in range(len(expressions))
    )
    constraints = "".join(
        f'<rsc_location id="l{number}" rsc="r{number}"><rule id="l{number}-r" score="500">'
        f"{text.replace(_ID, f'd{number}')}</rule></rsc_location>"
        for number, text in enumerate(expressions)
    )
    pairs = "".join(
        f'<nvpair id="p-{name}" name="{name}" value={quoteattr(value)}/>' for name, value in attributes.items()
    )
    return f"""<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0"
 have-quorum="1" dc-uuid="1" execution-date="{now_s}"><configuration><crm_config><cluster_property_set id="o">
<nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config><nodes>
<node id="1" uname="node1"><instance_attributes id="na">{pairs}</instance_attributes></node></nodes>
<resources>{resources}</resources><constraints>{constraints}</constraints></configuration><status>
<node_state id="1" uname="node1" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>"""
