"""Which name-value pairs are in force: rules, blocks, options, parameters, values of operations, and the digests made of them.

Asked for a resource on a node it answers with texts. It reads no history and asks for nothing to be done.
"""
