"""A node's state machines, pure: events in, effects out.

The entry is `node.Node.step(event) -> effects`; `events` has all of both, and is the whole border to the shell around it. The
shared state is `replica.Replica`, which changes only where a message is delivered (`messages`); what one node alone remembers is
`memory.Memory`. `coordinator` and `transition` are the DC's part, `executor` every node's, `proposals` how a commit becomes the
configuration, `recovery` what comes before a node takes part.

It does no I/O, reads no clock and draws no chance: each event says when it happened. It doesn't know what carries messages, how a
commit is read, or how an agent is called.
"""
