"""ci/house draws what the import graph says, and the picture in the manual is what it draws."""

from __future__ import annotations

import graphlib
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "roof.hall": {"cellar", "roof.stair", "floor"},
    "roof.stair": {"floor"},
    "roof": {"roof.hall"},
    "floor": {"cellar"},
    "cellar": set(),
}


@pytest.fixture(scope="module")
def house() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("house", str(ROOT / "ci" / "house"))
    spec = importlib.util.spec_from_loader("house", loader)
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    loader.exec_module(found)
    return found


def test_the_picture_in_the_manual_is_of_this_house(house: ModuleType) -> None:
    drawn = house.picture(house.rooms_of(ROOT))
    assert (ROOT / "docs" / "house.svg").read_text() == drawn, "ci/house --write draws it anew"


def test_what_builds_on_something_stands_above_it(house: ModuleType) -> None:
    packages = house.houses(ROOMS)
    assert packages == {"roof": {"cellar", "floor"}, "floor": {"cellar"}, "cellar": set()}
    assert house.floors(packages) == {"roof": 2, "floor": 1, "cellar": 0}
    assert house.reduced(packages) == {"roof": {"floor"}, "floor": {"cellar"}, "cellar": set()}
    assert house.within(ROOMS, "roof") == {"hall": {"stair"}, "stair": set()}


def test_a_house_with_a_circle_is_not_drawn(house: ModuleType) -> None:
    with pytest.raises(graphlib.CycleError):
        house.picture({**ROOMS, "cellar": {"roof"}})
    with pytest.raises(graphlib.CycleError):
        house.picture({**ROOMS, "roof.stair": {"roof.hall"}})


def test_the_table_has_a_row_for_each_room(house: ModuleType) -> None:
    rooms = house.rooms_of(ROOT)
    told = house.table(rooms, ROOT)
    packages, inner = house.houses(rooms), [one for name in house.houses(rooms) for one in house.within(rooms, name)]
    assert len(told) == len(packages) + len(inner) + 2
    assert len(packages) > 15
    assert len(inner) > 30
