"""What gives a node its membership, quorum and one totally ordered broadcast.

The entry is a `Fabric` (`join`, `broadcast`, `leave`), which tells a `FabricListener` of views and of messages in the order that all
members see: `embedded.EmbeddedFabric` for one node, `lab.member.LabFabric` for one of several on the same machine.

It doesn't know what a message says, nor what follows from a view.
"""
