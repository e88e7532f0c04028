"""Whom a donor serves at the moment: so many at once, so that each is done soon. Pure."""

from __future__ import annotations


class UploadSlots:
    """Places for `limit` requesters; one that is not used for a while falls free."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._until_s: dict[bytes, float] = {}

    def take(self, who: bytes, now_s: float, for_s: float) -> bool:
        """Give `who` a place, or renew it, for `for_s`; False where all are taken."""
        self._until_s = {w: until for w, until in self._until_s.items() if until > now_s}
        if who not in self._until_s and len(self._until_s) >= self._limit:
            return False
        self._until_s[who] = now_s + for_s
        return True

    def free(self, who: bytes) -> None:
        """Give the place of `who` back, if it has one."""
        self._until_s.pop(who, None)
