"""Pacemaker's configuration formats, in and out. What is odd about reading them is dealt with here."""
