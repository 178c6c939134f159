"""What any stage may note down in the working state: scores, actions, orderings, nodes to be fenced; each with its cause.

It keeps the rules of noting (what a second request for an action changes, which reason stays); who notes what, and when, it doesn't know.
"""
