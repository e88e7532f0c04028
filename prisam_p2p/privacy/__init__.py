"""What announced masks give away about the data of the peers that announce them."""
