"""A node's state machines, pure: events in, effects out.

The entry is `node.Node.step(event) -> effects`; `events` has all of both, and is the whole border to the shell around it. The state
is in `replica.Replica`: what all members share (`shared`), which changes only where a message is delivered (`messages`), and what one
node alone remembers (`own`, `memory`); `journal` is how both lie on disk. `coordinator` and `transition` are the DC's part, `executor`
every node's, `proposals` how a commit becomes the configuration, `recovery` what comes before a node takes part.

It does no I/O, reads no clock and draws no chance: each event says when it happened. It doesn't know what carries messages, how a
commit is read, or how an agent is called.
"""
