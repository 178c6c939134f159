"""Pacemaker's own texts of what the scheduler says, so that users and published cases of `crm_simulate` can read our answers.

The entry is `simulate`: the status listing, the transition summary, the scores, the simulated execution, the DOT graph and the
graph in XML, from a `Plan` or a `Cluster`. This package may look into the scheduler's working state, because those texts show it.

It decides nothing, and no other output of the product is made from it.
"""
