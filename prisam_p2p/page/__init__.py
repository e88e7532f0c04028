"""The page of a run: one HTML file that shows what happened, from the run's folder."""
