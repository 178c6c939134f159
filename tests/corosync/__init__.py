"""Real corosync on hosts in namespaces."""
