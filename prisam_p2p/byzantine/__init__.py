"""Rude peers: made of the real peer's parts, they speak its wire and lie. The real one knows none.

`main` in process.py plays one. What goes out is changed at the place where it goes out: masks and
weights at the network (networks.py), messages at the exchange (exchanges.py), their pace and
number at the transport (transports.py).
"""
