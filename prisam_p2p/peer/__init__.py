"""One peer: its own process, its own sockets, its own copy of Algorithm 1."""
