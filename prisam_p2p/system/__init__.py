"""What this project asks of the operating system: limits, namespaces, sockets, threads, signals."""
