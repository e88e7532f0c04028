"""What launcher and peer say to each other: a peer's spec, and the messages of its control line."""
