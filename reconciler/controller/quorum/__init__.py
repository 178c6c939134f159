"""Who may decide: votes and quorum, what is allowed on each side of a cut, and what a member does that is cut off. Pure tables.

votequorum counts hosts on which corosync runs, not our members, so both have to agree. Two sets that are quorate without a majority of all
votes (two-node, last_man_standing, a qdevice) need not share a member: there nothing begins before each missing node is accounted for.
Source: the design of the cluster, "Quorum", "Terms"; votequorum(5); Pacemaker Explained, "no-quorum-policy".
"""
