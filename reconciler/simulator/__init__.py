"""Whole clusters in one thread: virtual time, a virtual ordered network, disks and agents, faults from a seed, and rules that are checked.

The same (seed, faults) always gives the same life, so a failure is told as a story, shrunk, and kept. It imports the controller and never
the daemon: what is simulated is what the daemon runs. Source: the design of the cluster, "The simulator".
"""
