"""`prisam bench`: what the wire costs and how fast it is, as ratios measured in one run."""
