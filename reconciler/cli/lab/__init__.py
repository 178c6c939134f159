"""The lab: several nodes on one machine with faults on command, and whole clusters simulated."""
