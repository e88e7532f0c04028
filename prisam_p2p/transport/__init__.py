"""How peers talk: the ZeroMQ sockets of a peer, and the pure rules of what they do."""
