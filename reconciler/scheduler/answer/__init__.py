"""From the finished working state to the plan: the transition graph, the summary of changes, the placements.

It decides nothing about resources any more.
"""
