"""From a topology, device profiles and settings to a plan: the whole run, resolved."""
