"""Taking a CIB of a newer Pacemaker back to the names and forms that decisions are made in.

Source: Pacemaker Explained 3.0, "Cluster Options" (names of 3.0) and "Cluster Nodes" (times in node states since 2.1.7).
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from reconciler.interop.xml.document import Document
from reconciler.model.settings import CLUSTER_OPTIONS
from reconciler.model.text import compare_versions, integer

REFERENCE = "3.16.1"
"""The feature set of the Pacemaker (2.1.5) whose decisions these are."""

_TIMES_SINCE = "3.18.0"
_STORED = {setting.name: setting.stored for setting in CLUSTER_OPTIONS.values() if setting.stored}


def step_back(document: Document) -> None:
    """Change what a newer Pacemaker writes into what the reference writes; that it is newer becomes a warning."""
    root = document.root
    document.remember_order()
    if (options := root.find("configuration/crm_config")) is not None:
        _rename_options(options)
    feature_set = root.get("crm_feature_set")
    if feature_set is None or compare_versions(feature_set, REFERENCE) <= 0:
        return
    document.warn(
        root,
        "newer-than-reference",
        f"the CIB has feature set {feature_set}, and decisions here are those of {REFERENCE} (Pacemaker 2.1.5)",
        "a newer Pacemaker may decide otherwise where it was changed since",
    )
    if compare_versions(feature_set, _TIMES_SINCE) >= 0:
        for state in root.iterfind("status/node_state"):
            _without_times(state)


def _rename_options(owner: Element) -> None:
    """Options under the names of 3.0 get the names of before; where a block has both, the newer one holds."""
    for block in owner.iter("cluster_property_set"):
        renamed = {_STORED[name]: pair for pair in block.iter("nvpair") if (name := pair.get("name", "")) in _STORED}
        for pair in [child for child in block if child.tag == "nvpair" and child.get("name") in renamed]:
            block.remove(pair)
        for name, pair in renamed.items():
            pair.set("name", name)


def _without_times(state: Element) -> None:
    """When a member came, and its controller, say that they are there; 0 says that they are not."""
    for name, there, gone in (("in_ccm", "true", "false"), ("crmd", "online", "offline")):
        value = state.get(name, "")
        if value.isdecimal():
            state.set(name, there if integer(value) else gone)
