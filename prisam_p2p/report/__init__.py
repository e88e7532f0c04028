"""From a run folder to checks and tables. Reads what a run left; starts nothing."""
