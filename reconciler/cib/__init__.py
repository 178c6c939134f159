"""The CIB: configuration and status as one versioned value.

`Cib` and its `Version` are here; `canonical` gives any value its one JSON form, bytes and digest, and reads them back strictly
and bounded; `difference` tells what an operator changed; `observations` is the one way in which the status changes.

It doesn't know who observes, who decides, nor where a CIB is kept.
"""

from __future__ import annotations

from reconciler.frozen import field, frozen
from reconciler.model.cluster import Configuration
from reconciler.model.status import Status

FEATURE_SET = "3.16.1"
"""The feature set of the Pacemaker whose decisions are reproduced."""


@frozen(order=True)
class Version:
    """Pacemaker's version triple; greater means later."""

    admin_epoch: int = 0
    epoch: int = 0
    num_updates: int = 0

    def __str__(self) -> str:
        return f"{self.admin_epoch}.{self.epoch}.{self.num_updates}"


@frozen
class Cib:
    """What a scheduler decides from: a configuration, what was observed, and how the partition stands.

    `dc_id` is the DC's node id; `execution_date` an epoch time in seconds that stands for now in a recorded CIB;
    `feature_set` the version of the rules by which entries were recorded; `extra` the remaining keys of an imported CIB.
    `departing` is what was removed from the configuration and still has to stop.
    """

    configuration: Configuration = field(default_factory=Configuration)
    status: Status = field(default_factory=Status)
    version: Version = field(default_factory=Version)
    have_quorum: bool = False
    no_quorum_panic: bool = False
    dc_id: str | None = None
    feature_set: str | None = None
    execution_date: int | None = None
    extra: dict[str, str] = field(default_factory=dict)
    departing: Configuration = field(default_factory=Configuration)
