"""`reconciler cluster`: make a cluster over corosync, and change which nodes it has, from one place or host by host.

`remote` runs scripts on hosts; `facts` is what a host says of itself. `changes` makes of facts and a wish what is to be done on which
host, as a value of `stages`, or refuses it by what `judging` finds: they do no I/O, and neither does `scripts`, which has the words of the
shell for each step. `showing` prints a change, `carrying` carries it out, `by_hand` writes it down for somebody who does it without ssh,
and `agreement` tells how the hosts' files agree.
"""
