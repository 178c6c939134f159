"""What orderings do: they become edges between actions, and requirements and impossibilities spread along these until nothing changes.

It asks for no action of its own; which orderings there are was decided before.
"""
