"""The data of a run's page: journal lines folded into small tables, and what follows at its end."""
