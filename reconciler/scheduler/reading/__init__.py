"""From the configuration to nodes and resources: templates, clones, bundles and connections as working objects, found by name.

It knows nothing of what runs where, and of no constraint.
"""
