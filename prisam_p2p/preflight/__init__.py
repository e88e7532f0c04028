"""What a run will take, beside what this machine has: counted before anything is started."""
