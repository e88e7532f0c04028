"""From a run folder to checks, verdicts and tables. Reads run folders; starts no process."""
