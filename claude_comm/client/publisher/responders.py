"""Who answers requests: a request to a module of which nobody lives is refused at once, and not sent.

Law: whoever may be there counts as there. An instance that lives is seen within one heartbeat, also after the registry
was lost, so a look that found nobody for longer than that is believed. A look that the server does not answer decides
nothing: the request is sent, and fails or waits as sending does.
"""

from __future__ import annotations

import time

from claude_comm.client.identity import millis
from claude_comm.client.publisher.within import bounded
from claude_comm.effects import Operation, Pause
from claude_comm.errors import NoResponder, TransportError
from claude_comm.names import Keys, is_name
from claude_comm.ops import registry, replies

# How long nobody is looked for: after the registry was lost, a living instance is back within a heartbeat and a look
# at it, two seconds each.
NOBODY_S = 4.5
# How long a responder that was seen is believed in; every answer is a new sight of it.
SEEN_S = 5.0
_LOOK_EVERY_S = 0.2
# What the last look leaves of the time of a request, so that the server has time to answer it: half of a short one.
_SPARED_S = 0.5


class Responders:
    """The modules that one publisher has seen."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._seen: dict[str, float] = {}

    def known(self, target: str) -> bool:
        """Whether the target was seen lately; so does a name that is no module's, which is refused elsewhere."""
        return time.monotonic() - self._seen.get(target, -SEEN_S) < SEEN_S or not is_name(target)

    def saw(self, target: str) -> None:
        """It has answered."""
        self._seen[target] = time.monotonic()

    def lost(self, target: str) -> None:
        """It has not answered in time."""
        self._seen.pop(target, None)

    def look(self, target: str, timeout_s: float) -> Operation[None]:
        """Returns once the target is seen. Raises NoResponder."""
        begun = time.monotonic()
        until = begun + min(max(timeout_s - _SPARED_S, timeout_s / 2), NOBODY_S)
        while True:
            try:
                if (yield from bounded(replies.responds(self._keys, target, millis()), begun + timeout_s)):
                    return self.saw(target)
                if time.monotonic() >= until:
                    registered = yield from bounded(registry.names(self._keys), begun + timeout_s)
                    raise NoResponder(target, registered, time.monotonic() - begun)
            except TransportError:
                return None
            yield Pause(min(_LOOK_EVERY_S, max(until - time.monotonic(), 0)))
