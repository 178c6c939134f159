"""The cluster options that decide, as values of their types.

Source: Pacemaker Explained, "Cluster Options"; the scheduler's specification, part 1, section 6.
"""

from __future__ import annotations


class ClusterOptions:
    """The options in force; the constructor gives Pacemaker's defaults."""

    __slots__ = (
        "batch_limit",
        "cluster_delay",
        "cluster_name",
        "concurrent_fencing",
        "enable_startup_probes",
        "have_watchdog",
        "health_base",
        "health_colours",
        "health_strategy",
        "maintenance_mode",
        "migration_limit",
        "no_quorum_policy",
        "placement_strategy",
        "priority_fencing_delay_s",
        "raw",
        "remove_after_stop",
        "shutdown_lock",
        "shutdown_lock_limit_s",
        "start_failure_is_fatal",
        "startup_fencing",
        "stonith_action",
        "stonith_enabled",
        "stonith_timeout",
        "stop_all_resources",
        "stop_orphan_actions",
        "stop_orphan_resources",
        "symmetric_cluster",
    )

    def __init__(self) -> None:
        self.raw: dict[str, str] = {}
        """All options as written, after rules and scores."""
        self.no_quorum_policy = "stop"
        self.symmetric_cluster = True
        self.maintenance_mode = False
        self.start_failure_is_fatal = True
        self.enable_startup_probes = True
        self.shutdown_lock = False
        self.shutdown_lock_limit_s = 0
        self.stonith_enabled = True
        self.stonith_action = "reboot"
        self.stonith_timeout = "60s"
        self.have_watchdog = False
        self.concurrent_fencing = False
        self.startup_fencing = True
        self.priority_fencing_delay_s = 0
        self.cluster_delay = "60s"
        self.batch_limit = 0
        self.migration_limit = -1
        self.stop_all_resources = False
        self.stop_orphan_resources = True
        self.stop_orphan_actions = True
        self.remove_after_stop = False
        self.health_strategy = "none"
        self.health_base = 0
        self.health_colours = (0, 0, 0)
        """Scores of red, yellow and green under the strategy in force."""
        self.placement_strategy = "default"
        self.cluster_name: str | None = None
