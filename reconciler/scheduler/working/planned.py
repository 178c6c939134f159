"""What is to be done with a resource.

Source: the scheduler's specification, part 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action, Phase
    from reconciler.scheduler.working.node import ClusterNode


class Planned:
    """Its actions, and what they come to: filled by `acting` and `ordering`; any stage may ask for an action (`noting`)."""

    __slots__ = ("actions", "actions_by_key", "expected_node", "phases", "reloading")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        """Its actions, oldest first."""
        self.actions_by_key: dict[str, list[Action]] = {}
        """The same by lower-cased key, oldest first."""
        self.expected_node: ClusterNode | None = None
        """Where a multiply active resource may stay (multiple-active=stop_unexpected)."""
        self.reloading = False
        self.phases: dict[str, Phase] = {}
        """Of a clone: the pseudo actions of its notifications, by the task they are about."""
