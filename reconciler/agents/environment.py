"""The environment that agents are given: clean, the same on every node, and what OCF asks for.

Nothing is inherited from the daemon but the time zone.
Source: OCF Resource Agent API 1.1, "API: parameter passing"; Pacemaker Administration, "Resource Agents".
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from reconciler.model.operation import AgentCall

API_VERSION = ("1", "1")
FEATURE_SET = "3.19.0"
"""The cluster's feature set as agents see it (`crm_feature_set`): they ask which form of `crm_attribute` to call."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RAW_PARAMETERS = frozenset({"OCF_CHECK_LEVEL"})
"""Parameters that agents expect under their own name, without the prefix."""


def base_environment(commands: str | None = None) -> dict[str, str]:
    """What every program starts with; `commands` comes first in the search path."""
    environment = {
        "PATH": f"{commands}:{_PATH}" if commands else _PATH,
        "HOME": "/root" if os.geteuid() == 0 else os.path.expanduser("~"),
        "SHELL": "/bin/sh",
        "LANG": "C",
    }
    # Services write times to their logs as the machine does.
    if zone := os.environ.get("TZ"):
        environment["TZ"] = zone
    return environment


def ocf_environment(call: AgentCall, parameters: Mapping[str, str], root: str, node: str) -> dict[str, str]:
    """The variables of one OCF call: the API's version, the resource's identity, parameters and meta-attributes.

    `parameters` are the call's with secrets resolved.
    """
    environment = {
        "OCF_RA_VERSION_MAJOR": API_VERSION[0],
        "OCF_RA_VERSION_MINOR": API_VERSION[1],
        "OCF_ROOT": root,
        "OCF_RESOURCE_INSTANCE": call.resource,
        "OCF_RESOURCE_TYPE": call.agent.type,
        "OCF_RESOURCE_PROVIDER": call.agent.provider or "",
        "OCF_EXIT_REASON_PREFIX": "ocf-exit-reason:",
        "OCF_RESKEY_crm_feature_set": FEATURE_SET,
    }
    environment |= {reskey(name): value for name, value in _call_meta(call, node).items()}
    environment |= {reskey(name): value for name, value in call.meta.items()}
    environment |= {reskey(name): value for name, value in parameters.items()}
    return environment


def reskey(name: str) -> str:
    """The variable that carries a parameter."""
    return name if name in _RAW_PARAMETERS else f"OCF_RESKEY_{name}"


def _call_meta(call: AgentCall, node: str) -> dict[str, str]:
    """The meta-attributes that follow from the call itself, should the caller not have given them."""
    return {
        "CRM_meta_name": call.operation,
        "CRM_meta_interval": str(call.interval_ms),
        "CRM_meta_timeout": str(call.timeout_ms),
        "CRM_meta_on_node": node,
    }
