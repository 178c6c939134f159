"""YAML text to a Configuration, with every value's place, and back to YAML."""
