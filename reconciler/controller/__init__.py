"""A node's state machines, pure: events in, effects out. `Node.step(event) -> effects`."""
