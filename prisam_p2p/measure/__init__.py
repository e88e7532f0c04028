"""What a process records: typed records, an append-only journal, traffic counts."""
