"""A node's state machines, pure: events in, effects out.

The entry is `node.Node.step(event) -> effects`; `events` has all of both, and is the whole border to the shell around it. The state
is in `replica.Replica`: what all members share (`shared`), which changes only where a message is delivered (`messages`), and what one
node alone remembers (`own`, `memory`); `journal` is how both lie on disk. `intake`, `following` and `entering` are the way of a message,
what follows from it, and the way into a view. `coordinator` and `transition` are the DC's part, `executor` every node's, `proposals` how
a commit becomes the configuration, `recovery` what comes before a node takes part,
`outbox` what nobody has heard yet, `dampening` what is heard and does not count yet, `faults` what goes on after a step that failed.

Among several members `membership` agrees on a view and `quorum` has the tables of who may decide; `permitted` asks them wherever something
begins. `pulse` hears who is silent or differs, `standstill` has one that stood still begin nothing, `cut_off` is what one does that nobody
hears, `flow` bounds what is on its way, and `cluster_clock` is the one clock. `fencing` and `fencer` make certain what became of the lost.

It does no I/O, reads no clock and draws no chance: each event says when it happened. It doesn't know what carries messages, how a
commit is read, or how an agent is called.
"""
