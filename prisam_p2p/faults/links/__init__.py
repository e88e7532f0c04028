"""Faults of links: their combined effect, and how namespaces or plain loopback apply it."""
