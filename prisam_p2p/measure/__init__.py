"""What a process writes down: typed records, an append-only journal, traffic counts."""
