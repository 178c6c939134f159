"""What has to be done so that everything is where it was placed: actions of resources and nodes, with the orderings between them.

Each kind of resource has its file. It doesn't place, and leaves open what orderings do to actions.
"""
