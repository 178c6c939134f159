"""Running resource agents: OCF, LSB, systemd, stonith; metadata, process groups, deadlines."""
