"""Faults: scheduled disturbances, drawn and written down before a run, then applied during it.

    before a run: scenario/ (files of people) -> compiler/ -> fault_plan.py (faults.json)
    in a run, when: barrier_plan.py, injector.py, barriers.py, firings.py
    in a run, how: acts/ (signals, limits, orders to peers), links/ (the state of links)

All is pure (time is a number, randomness comes from seeds) but acts/ and links/, which change
processes and links, and the functions that read a scenario or a faults.json.

kinds.py is the table of all kinds, attacks.py the table of attacks.
"""
