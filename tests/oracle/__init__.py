"""Histories of clusters of our own making, lived through step by step and put to the reference program at each one.

`clusters` makes a configuration from a seed, `moments` says what happens next, `lives` has both programs answer and compares them
(status, placement, summary, actions, graph, scores), `run` is the command (`ci/histories`).
"""
