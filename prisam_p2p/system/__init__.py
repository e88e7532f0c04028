"""Access to the operating system: limits, namespaces, sockets, threads, signals."""
