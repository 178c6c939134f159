"""The lowest room: YAML text to values that know their line and column, within bounds, and the findings about them.

It knows YAML and nothing of clusters. `document.read_documents` is the entry for readers, `layout` the one for the formatter, which needs
comments and blank lines as well.
"""
