"""Running programs here and on other hosts: one port, a local and an ssh implementation."""
