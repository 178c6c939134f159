"""What is judged after the form: references, settings, rules, constraints, fencing, agents, sizes.

`all.check` is the entry. Each file judges one kind of thing, reads the configuration through `facts`, and changes nothing.
"""
