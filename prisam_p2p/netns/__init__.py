"""The networks that a run can have: a namespace for each peer, or plain loopback."""
