"""Bounded, seeded fuzzing against real processes: `ci/fuzz`. What it finds becomes a file in `findings/`, which the tests try again."""
