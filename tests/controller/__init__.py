"""Tests of the controller: a node driven without a daemon."""
