"""A pair that no verdict can be had of."""

from __future__ import annotations

# Every match of the first is one of the second; neither is regular, and no message shows anything.
NOT_REGULAR = {"type": "string", "pattern": "^(a|b)+\\1$"}, {"type": "string", "pattern": "^(a|b)+(?<=aa|bb)$"}
