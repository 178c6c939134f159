"""Pacemaker's own texts of what the scheduler says, so that `crm_simulate`'s users and tests can read our answers.

The status listing, the transition summary, the scores, the DOT graph and the transition graph XML, from a `Plan` or a `Cluster`.
"""
