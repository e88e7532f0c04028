"""What the peers' packets travel over: namespaces with real links, or plain loopback.

Nothing here is on disk or outlives the launcher. `interface` says what a network is.
"""
