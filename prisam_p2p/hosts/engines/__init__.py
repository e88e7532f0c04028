"""What starts the host agents: an engine that users have, behind one small interface."""
