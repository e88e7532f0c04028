"""Several hosts of one run: the agent on each, and what starts, reaches, times and loses them."""
