"""Around the peers: what is emulated, and what starts, shapes, disturbs and stops it.

Knows of a peer only its spec. No zmq: what peers say to each other stays between them.
"""
