"""The nouns of one run: the working state that the stages fill, and the plain questions about it.

`cluster.Cluster` holds everything; nodes, resources, tables, constraints, actions and edges hang from it. What is here keeps and
answers; it doesn't know rules, defaults, the scores of any stage, nor why something was decided beyond the cause that it is given.
"""
