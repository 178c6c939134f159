"""What the status says: the state of nodes, recorded results, fail counts; where each resource is active, in which role, and what failed.

It knows no constraint, and decides no placement: it bans, and asks for fencing, where a failure calls for it.
"""
