"""What of the design's list no rule of ordinary lives shows a closer look at lives of seeds does; where nothing is broken it sees nothing.

`python -c "import test_closer_lives as t; t.hunt()"` in this directory looks for other seeds.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import test_mutations
from closer import CloserLife
from mutations import MUTATIONS, note_time
from test_broken_rules import DESIGN, LIVES

from reconciler.simulator.scenario import scenario

CLOSER = {
    "skip the prepared form's sync": (0, "and its disk does not have it"),
    "a chunk taken without its hash": (27, "takes for a message what has another digest"),
    "the executor's clock in the state": (13, "s ahead of the clock of the cluster"),
    "an inherited operation ordered again": (87, "where that is under way"),
    "result matched without term": (13, "takes an answer of term"),
    "watchdog fed without quorum": (2, "would feed its watchdog without quorum"),
}
"""By broken rule the seed of a life that shows it, and how that is told; what changes the core may move that to one of the next."""
_MORE = 100
_SEEDS = 5_000


def broken(seed: int) -> str | None:
    return CloserLife(scenario(seed)).live().broken


@pytest.mark.parametrize("name", CLOSER)
def test_a_closer_look_at_a_life_shows_that_a_rule_is_broken(name: str) -> None:
    first, told = CLOSER[name]
    with pytest.MonkeyPatch.context() as patch:
        note_time(patch)
        MUTATIONS[name](patch)
        lives = ((seed, broken(seed)) for seed in range(first, first + _MORE))
        found, rule = next(((seed, rule) for seed, rule in lives if rule is not None), (None, ""))
    assert found is not None
    assert told in rule
    assert broken(found) is None, "the life is sound with the rule"


def test_a_closer_look_sees_nothing_where_nothing_is_broken() -> None:
    assert [(seed, rule) for seed in range(30) if (rule := broken(seed)) is not None] == []


def test_every_rule_of_the_designs_list_has_the_seed_of_a_life_that_shows_it() -> None:
    seeds = LIVES | {name: seed for name, (seed, _) in CLOSER.items()}
    seeds |= {name: mutation.seed for name, mutation in test_mutations.MUTATIONS.items() if name not in seeds}
    assert sorted(set(DESIGN) - seeds.keys()) == []
    assert [name for name in DESIGN if seeds[name] >= _SEEDS] == []


def hunt(names: Iterable[str] = (), seeds: range = range(_SEEDS)) -> None:
    """Print for each broken rule the first seed whose life shows it to a closer look."""
    for name in names or CLOSER:
        with pytest.MonkeyPatch.context() as patch:
            note_time(patch)
            MUTATIONS[name](patch)
            found = next((seed for seed in seeds if broken(seed) is not None), None)
        sound = found is None or broken(found) is None
        print(f'    "{name}": {found},' if sound else f"    seed {found} breaks a rule")
