"""From constraints, written or implied, to resolved ones: one object per pair or resource, sorted as they will be looked at.

Tickets act at once, and locations once placement begins. It knows nothing of recorded results.
"""
