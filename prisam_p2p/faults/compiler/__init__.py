"""From a scenario and a network to a fault plan: every draw follows from the seed. Pure."""
