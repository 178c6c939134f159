"""The Debian package: what is in it, and that it installs, upgrades and goes on a machine with systemd."""
