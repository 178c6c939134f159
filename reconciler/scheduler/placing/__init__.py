"""Which node every resource gets, and which instances are promoted.

It reads scores, constraints and what is active. It asks for no action, and doesn't know what a move takes.
"""
