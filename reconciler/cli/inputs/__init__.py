"""What commands read by name: a directory, a git revision, a file, a CIB. Bounded, and an unreadable one is an `InputError`."""
