"""`prisam doctor --on`: what the hosts of an engine can do, alone and between them."""
