"""How peers talk: the only room that knows ZeroMQ, with the pure rules of what its sockets do."""
