"""The paper, pure: NumPy (and scikit-learn for clustering) in, NumPy out.

No torch, no sockets, no clock, no global randomness, no logging.
"""
