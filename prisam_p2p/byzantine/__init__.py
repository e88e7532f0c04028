"""Byzantine peers: a real peer's process with some parts replaced. Real peers know nothing of them.

`main` in process.py plays one. faults/attacks.py lists the attacks and the parts that they
replace: networks.py falsifies masks and weights, messengers.py messages, transports.py their number
and pace.
"""
