"""Users' own code: how it is named, recorded, trusted and imported.

Only `loading` imports it. What reads a run folder knows the record alone.
"""
