"""`prisam soak`: run after run with random faults, until the time is up or something breaks."""
