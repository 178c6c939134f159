"""The family for resource agents: list, describe and test them."""
