"""Where configuration comes from: git repositories and watched directories."""
