"""A module that runs within a test: on a thread of its own, with what it sends, handles and buries.

Law: the module is the real one, with its registration, its negotiations and its leases. Partners that it declares to
send to, and that do not run in the test, are registered with exactly what it declares, so that its agreements stand.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from claude_comm.client.identity import millis
from claude_comm.client.module.module import Module
from claude_comm.delivery.burial import Burial
from claude_comm.envelope import DEFAULT_TYPE, Envelope
from claude_comm.names import TOPIC_PREFIX
from claude_comm.ops import heartbeats
from claude_comm.registry.contracts import contract
from claude_comm.testing.bus import PATIENCE_S, Bus, NotSeen, Outcome


class RunningModule:
    """A module on a thread of the test. It is stopped at the end of the test, or by `stop`."""

    def __init__(self, bus: Bus, module: Module, partners: Sequence[str] = ()) -> None:
        self.bus, self.module, self.name = bus, module, module.name
        self._error: BaseException | None = None
        register_partners(bus, module, partners)
        self._thread = threading.Thread(target=self._run, name=f"module {module.name}", daemon=True)
        self._thread.start()
        self._until(self._is_up, "to register")

    def send(self, data: object, *, type: str = DEFAULT_TYPE, **options: Any) -> str:
        """Sends the module a message, with the options of `Publisher.publish`; returns its id."""
        return self.bus.send(self.name, data, type=type, **options)

    def request(self, data: object, *, type: str = DEFAULT_TYPE, **options: Any) -> Any:
        """Sends the module a message and waits for the reply, with the options of `Publisher.request`."""
        return self.bus.request(self.name, data, type=type, **options)

    def sent(
        self, count: int = 1, *, target: str = "", type: str = "", timeout_s: float = PATIENCE_S
    ) -> list[Envelope]:
        """What the module has sent, as soon as that is `count` messages. Raises NotSeen.

        `payload(Type)` of an envelope is its payload as a value of that type.
        """
        return self.bus.wait_for_messages(count, source=self.name, target=target, type=type, timeout_s=timeout_s)

    def done(self, count: int = 1, *, timeout_s: float = PATIENCE_S) -> list[Outcome]:
        """How deliveries ended, as soon as `count` have: each handled or buried. Raises NotSeen."""
        return self.bus.wait(
            self.ended, lambda seen: len(seen) >= count, what=f"{count} deliveries of {self.name!r} to end",
            timeout_s=timeout_s, why=self._why,
        )  # fmt: skip

    def idle(self, *, timeout_s: float = PATIENCE_S) -> None:
        """Returns when no message of the module's inbox waits or is being handled. Raises NotSeen."""
        self.bus.wait(
            lambda: self.bus.waiting(self.name), lambda left: not left, what=f"{self.name!r} to be idle",
            timeout_s=timeout_s, why=self._why,
        )  # fmt: skip

    def buried(self, count: int = 1, *, timeout_s: float = PATIENCE_S) -> list[Burial]:
        """What the module buried, as soon as that is `count` messages. Raises NotSeen."""
        return self.bus.wait(
            lambda: self.bus.buried(self.name), lambda seen: len(seen) >= count,
            what=f"{self.name!r} to bury {count} messages", timeout_s=timeout_s, why=self._why,
        )  # fmt: skip

    def stop(self) -> None:
        """Ends the module after the messages being handled. Raises what ended it before."""
        self.module.stop()
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            raise NotSeen(f"{self.name!r} did not stop within {PATIENCE_S:g} s: does a handler hang?")
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self.module.run()
        except BaseException as error:  # noqa: BLE001  (raised again where the test waits)
            self._error = error

    def _is_up(self) -> bool:
        if not self._thread.is_alive():
            raise self._error or NotSeen(f"{self.name!r} ended before it had registered.")
        return bool(self.bus.client.run(heartbeats.instances_alive(self.bus.keys, self.name, now_ms=millis())))

    def _until(self, holds: Any, what: str) -> None:
        self.bus.wait(holds, bool, what=f"{self.name!r} {what}")

    def ended(self) -> list[Outcome]:
        """How the deliveries that have ended did."""
        return [outcome for outcome in self.bus.outcomes(self.name) if outcome.result != "retried"]

    def _why(self) -> str:
        return self.bus._why()


def register_partners(bus: Bus, module: Module, names: Sequence[str]) -> None:
    """Registers who accepts what the module declares to send, unless somebody did: those that it names, and `names`
    for what it sends to any target."""
    produced = [declared for declared in module.contract().produces if not declared.target.startswith(TOPIC_PREFIX)]
    known = set(bus.registered())
    for name in dict.fromkeys([*(declared.target for declared in produced if declared.target), *names]):
        if name not in known:
            accepts = {declared.type: declared.schema for declared in produced if declared.target in ("", name)}
            bus.register(contract(name, accepts=accepts or True))
