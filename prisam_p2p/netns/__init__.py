"""The networks that a run can use: a network namespace per peer, or plain loopback."""
