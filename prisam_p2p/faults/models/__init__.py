"""The parameters of each kind of fault, as a scenario has them: one pydantic model for each."""
