"""Every rule of the design's list is needed: broken on purpose, a life or a script shows it, and what does is kept.

A life is that of a seed. Who changes what seeds draw looks for others, in this directory:
`python -c "import test_broken_rules as t; t.hunt()"`, which takes its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pytest
import test_cuts
import test_fencing_lives
import test_findings
import test_mutations
import test_rare_faults
import test_standstill
import test_watchdogs
from mutations import MUTATIONS, note_time

from reconciler.simulator.life import Life
from reconciler.simulator.scenario import scenario

LIVES = {
    "no view stamp": 3,
    "stamp unchecked": 2,
    "host votes for member votes": 36,
    "ACTIVATE with one ACCEPT missing": 1,
    "apply twice": 0,
    "swallow an exception": 0,
    "no own report": 1,
    "own part lost by a transfer": 12,
    "start before fenced": 48,
    "FENCE recorded after the call": 4,
    "proposals lost at a join": 12,
    "what a lost node may run is started": 53,
    "stopped by other parameters": 2,
    "sender unchecked": 27,
    "unclean forgotten on a change of DC": 27,
    "two-node activates unfenced": 46,
    "a report overrides other nodes": 61,
    "adopt before all promised": 60,
    "skip the promise's sync": 239,
    "freeze acts as stop": 82,
    "outbox dropped": 265,
    "promise forgotten at a restart": 3,
    "count a blank member": 622,
    "orders survive a view": 34,
    "reported when sent": 124,
    "no new order after the executor was lost": 9,
    "skip instead of leaving when not durable": 12,
    "keep ACCEPTs over a view": 635,
    "fencing result for any incarnation": 0,
    "compare by promised": 626,
    "watchdog counted before its time": 1940,
    "watchdog fed unanswered": 1553,
}
"""By broken rule the seed of a life that shows it; what changes the core otherwise may move that to one of the next."""
_MORE = 25

SCRIPTS: dict[str, Callable[[], None]] = {
    "result matched without term": test_findings.test_s5_an_old_result_of_the_same_number_ends_nothing,
    "skip instead of leaving when not durable": (
        test_findings.test_s8_a_disk_that_refuses_an_activation_leaves_nobody_behind
    ),
    "no new order after the executor was lost": (
        test_fencing_lives.test_when_the_dc_and_its_order_are_lost_another_one_fences
    ),
    "skip the prepared form's sync": test_rare_faults.test_who_can_not_keep_a_commit_refuses_it_and_stays,
    "keep ACCEPTs over a view": test_rare_faults.test_what_was_accepted_in_a_former_view_says_nothing_in_the_next,
    "fencing result for any incarnation": (
        test_rare_faults.test_an_answer_of_a_device_that_comes_late_says_nothing_of_who_came_back
    ),
    "an inherited operation ordered again": (
        test_rare_faults.test_what_is_under_way_when_the_dc_dies_is_not_begun_once_more
    ),
    "a chunk taken without its hash": (
        test_rare_faults.test_pieces_that_are_not_those_of_their_digest_are_taken_by_nobody
    ),
    "the executor's clock in the state": test_standstill.test_what_members_record_is_in_the_clock_of_the_cluster,
    "skip the sync of an order": partial(test_findings.test_what_was_begun_is_known_to_whoever_comes_after, False),
    "begin what this disk does not have": (
        test_rare_faults.test_who_can_not_keep_that_it_started_something_leaves_it_to_the_others
    ),
    "who is cut off and can't promise ends at once": partial(
        test_rare_faults.test_who_is_cut_off_and_can_not_promise_stops_what_it_runs_before_it_ends, False
    ),
    "a self-stop that hangs holds up the next": partial(
        test_rare_faults.test_who_is_cut_off_and_can_not_promise_stops_what_it_runs_before_it_ends, True
    ),
    "a lost node goes by what was activated since": test_cuts.test_a_lost_node_goes_by_the_configuration_that_it_has,
    "who is lost amid an activation has it": test_cuts.test_who_is_cut_off_amid_an_activation_goes_by_what_it_has,
    "watchdog fed without quorum": partial(
        test_watchdogs.test_who_has_lost_the_quorum_and_runs_something_is_switched_off, "freeze"
    ),
    "watchdog fed unanswered": partial(
        test_watchdogs.test_who_is_lost_is_reset_by_its_watchdog_and_replaced_after_that, "its fabric stands still"
    ),
    "watchdog counted before its time": test_watchdogs.test_nobody_is_replaced_before_its_time_is_over,
    "watchdog counted by half of the votes": test_watchdogs.test_of_two_nodes_none_counts,
    "watchdog promised for another boot": test_watchdogs.test_what_was_promised_before_a_boot_says_nothing_after_it,
    "watchdog's promise not taken back": (
        test_watchdogs.test_a_process_that_does_not_know_of_the_device_takes_the_promise_back_before_it_says_what_it_runs
    ),
    "watchdog waited for over views": test_watchdogs.test_who_was_back_is_waited_for_anew_when_it_is_lost_again,
    "watchdog fed by who is named": (
        test_watchdogs.test_who_can_not_stop_something_ends_its_machine_when_it_is_to_be_fenced
    ),
    "who is cut off goes on": partial(
        test_standstill.test_who_stood_still_and_is_not_heard_any_more_stops_what_it_runs, False
    ),
}
"""What takes more than chance to come to light, by the script that shows it."""


DESIGN = (
    *("no view stamp", "stamp unchecked", "sender unchecked", "compare by promised", "adopt before all promised"),
    *(
        "skip the promise's sync",
        "skip the prepared form's sync",
        "count a blank member",
        "host votes for member votes",
    ),
    *("two-node activates unfenced", "ACTIVATE with one ACCEPT missing", "keep ACCEPTs over a view"),
    *("skip instead of leaving when not durable", "apply twice", "swallow an exception", "no own report"),
    *("a report overrides other nodes", "own part lost by a transfer", "outbox dropped", "reported when sent"),
    *("orders survive a view", "result matched without term", "an inherited operation ordered again"),
    *("unclean forgotten on a change of DC", "start before fenced", "fencing result for any incarnation"),
    *("FENCE recorded after the call", "no new order after the executor was lost", "freeze acts as stop"),
    *(
        "watchdog fed without quorum",
        "proposals lost at a join",
        "a chunk taken without its hash",
        "the executor's clock in the state",
    ),
)
"""The design's list."""


def test_every_rule_of_the_list_is_broken_and_that_is_shown() -> None:
    assert set(DESIGN) <= MUTATIONS.keys()
    shown = LIVES.keys() | SCRIPTS.keys() | test_mutations.MUTATIONS.keys()
    assert MUTATIONS.keys() <= shown, "each has a life, a script, or a life of membership alone"
    assert LIVES.keys() | SCRIPTS.keys() <= MUTATIONS.keys()


def broken(seed: int) -> str | None:
    return Life(scenario(seed)).live().broken


@pytest.mark.parametrize("name", LIVES)
def test_a_life_shows_that_a_rule_is_broken(name: str) -> None:
    first = LIVES[name]
    with pytest.MonkeyPatch.context() as patch:
        note_time(patch)
        MUTATIONS[name](patch)
        told = ((seed, broken(seed)) for seed in range(first, first + _MORE))
        found, rule = next(((seed, rule) for seed, rule in told if rule is not None), (None, ""))
    assert found is not None
    assert "a node failed" not in rule, "what breaks the rule is at fault itself: it is out of date"
    assert broken(found) is None, "the life is sound with the rule"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_shows_that_a_rule_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    note_time(monkeypatch)
    MUTATIONS[name](monkeypatch)
    with pytest.raises(AssertionError):
        SCRIPTS[name]()


def hunt(names: Iterable[str] = (), seeds: range = range(5_000)) -> None:
    """Print for each broken rule the first seed whose life shows it."""
    for name in names or MUTATIONS:
        with pytest.MonkeyPatch.context() as patch:
            note_time(patch)
            MUTATIONS[name](patch)
            found = next((seed for seed in seeds if broken(seed) is not None), None)
        print(
            f'    "{name}": {found},' if found is None or broken(found) is None else f"    seed {found} breaks a rule"
        )
