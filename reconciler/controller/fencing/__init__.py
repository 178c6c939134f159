"""Fencing, per target: wanted, ordered, down; each order in the shared state before any agent is called. Pure values and functions.

```
CLEAN --unclean(reason)--> WANTED --DC, quorate, allowed now--> ORDERED(level, device, executor, attempt, target's boot)
ORDERED --ok, level complete--> DOWN    --failed--> next try, device, level; with back-off--> WANTED
WANTED|ORDERED --operator's confirmation (refused while the target is a member)--> DOWN
WANTED --the target in a view again: with a new boot, or (when it was only lost) with its report--> CLEAN
```

`record` is what the members share, `delivery` how messages and installations change it, `ordering` what the DC does about it, and
`executor` what a member does that was named in an order.
Source: the design of the cluster, "Fencing, per target"; the model of fencing in the tests.
"""
