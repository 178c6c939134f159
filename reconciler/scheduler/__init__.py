"""Decide: `(CIB, now) -> Plan`, as Pacemaker decides, with the reason for everything.

`schedule` reads as the list of its stages. A stage takes the working state of the run (`cluster.Cluster`), fills what is its own,
and reads what the stages before it filled. Names of stages and rules are those of the specification
(`1-inputs-and-state`, `2-placement`, `3-actions-and-graph`), whose sections the docstrings name.
"""

from __future__ import annotations
