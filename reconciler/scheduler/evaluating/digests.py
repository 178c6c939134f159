"""Digests of an action's parameters, by which a change of configuration is noticed.

Source: the scheduler's specification, part 1, sections 15.1 and 15.2; part 3, section 5.3.
"""

from __future__ import annotations

import enum
import re
from functools import partial
from typing import TYPE_CHECKING

from reconciler.model.text import compare_versions
from reconciler.scheduler.digest import digest, is_digested
from reconciler.scheduler.evaluating.host_address import HOST_ADDRESS, host_of
from reconciler.scheduler.evaluating.operations import action_values, operation_for
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.working.digests import Digests

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


class DigestVerdict(enum.Enum):
    """What an entry's digests say about the configuration since: whether it changed, and what that takes."""

    MATCH = "match"
    RESTART = "restart"
    CHANGED = "changed"
    UNKNOWN = "unknown"  # No digest was recorded.


EXPIRED = "calculated-failure-timeout"
"""Stands for the restart digest of an entry whose failure expired: equal to none."""

_FENCING_PARAMETERS = frozenset(
    {
        "provides",
        "stonith-timeout",
        "pcmk_action_limit",
        "pcmk_delay_base",
        "pcmk_delay_max",
        "pcmk_host_argument",
        "pcmk_host_check",
        "pcmk_host_list",
        "pcmk_host_map",
    }
)
_FENCING_ACTION = re.compile(r"pcmk_.*_(?:action|timeout|retries)")


def compare(
    cluster: Cluster, resource: Resource, entry: HistoryEntry, node: ClusterNode
) -> tuple[DigestVerdict, Digests]:
    """Whether the entry was made with the parameters that are configured now.

    A recurring operation whose failure expired is to be scheduled anew, as if it had been recorded with another restart digest; where an
    earlier entry of the operation had none, there is nothing to compare that with.
    """
    result = entry.result
    digests = calculate(cluster, resource, result.task or "", result.interval_ms, node, entry)
    expired = id(entry) in cluster.expired_entries
    recorded_restart = EXPIRED if expired else result.restart_digest
    if digests.restart is not None and recorded_restart is not None and digests.restart != recorded_restart:
        return DigestVerdict.RESTART, digests
    recorded = result.digest
    if recorded is None:
        return DigestVerdict.UNKNOWN, digests
    if digests.all != recorded:
        restarts = not result.interval_ms and digests.has_extra
        return (DigestVerdict.RESTART if restarts else DigestVerdict.CHANGED), digests
    return DigestVerdict.MATCH, digests


def calculate(
    cluster: Cluster,
    resource: Resource,
    task: str,
    interval_ms: int,
    node: ClusterNode,
    entry: HistoryEntry | None = None,
    *,
    secure_without_entry: bool = False,
) -> Digests:
    """The digests of this action on the node, kept for the run: what an entry adds stems from the first that asked.

    With `secure_without_entry` the secure digest is made without one, leaving out passwords and users.
    """
    known = cluster.digests.get((resource.id, task, interval_ms, node.index))
    if known is not None:
        return known
    operation = operation_for(resource, task, interval_ms, include_disabled=True)
    meta, extra = action_values(cluster, resource, task, interval_ms, operation, node)
    own = parameters(cluster, resource, node)
    texts = extra | own
    if own.get("addr") == HOST_ADDRESS and (host := host_of(resource)) is not None:
        texts["addr"] = host.name
    texts = {name: value for name, value in texts.items() if is_digested(name)}
    if interval_ms:
        texts["CRM_meta_timeout"] = meta["timeout"]
    digests = Digests(texts, has_extra=bool(extra))
    if entry is not None and (entry.result.restart_digest is not None or id(entry) in cluster.expired_entries):
        digests.restart = _restart(texts, entry.result.restart_names)
    if entry is not None or secure_without_entry:
        digests.make_secure = partial(_secure, cluster, resource, node, texts, entry)
    cluster.digests[(resource.id, task, interval_ms, node.index)] = digests
    return digests


def _restart(texts: dict[str, str], names: str | None) -> str:
    """The digest of the parameters that take a restart to change: those of a blank-delimited list, if there is one."""
    if names is None:
        return digest(texts)
    return digest({name: value for name, value in texts.items() if f" {name} " in names})


def _secure(
    cluster: Cluster, resource: Resource, node: ClusterNode, texts: dict[str, str], entry: HistoryEntry | None
) -> str:
    """The digest without what must not be seen (the names the entry lists, or passwords and users), and without a timeout.

    For old versions (the entry's, without one the CIB's) what Pacemaker itself adds to fence devices doesn't count either.
    """
    hidden = {"passwd", "password", "user"} if entry is None else set(entry.result.secure_names.split(" "))
    version = cluster.feature_set if entry is None else entry.result.feature_set
    if compare_versions(version, "3.16.0") < 0:
        texts = {name: value for name, value in parameters(cluster, resource, node).items() if is_digested(name)}
        if resource.configured.is_stonith:
            texts = {name: value for name, value in texts.items() if not _is_fencing_parameter(name)}
    return digest({name: value for name, value in texts.items() if name not in hidden and is_digested(name)})


def _is_fencing_parameter(name: str) -> bool:
    return name in _FENCING_PARAMETERS or _FENCING_ACTION.fullmatch(name) is not None
