"""The protocol, pure: typed messages and the only way to turn one into frames.

No sockets, no clock, no torch. docs/protocol.md tells the story; tests hold golden vectors.
"""
