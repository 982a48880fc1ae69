"""Sending on behalf of those who ask: each in their own name, under the agreements of their contracts.

Law: what a module declares is negotiated before its first such message, and every payload is held to it, exactly as a
module in Python does it. What no contract of the sender names is held to the contract of the receiver.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from claude_comm.client.identity import millis
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.client.publisher.requests import DEFAULT_TIMEOUT_S
from claude_comm.delivery.acceptance import require_accepted
from claude_comm.envelope import BLOB, DEFAULT_TYPE, MSGPACK
from claude_comm.errors import ContractBroken
from claude_comm.gateway.core.errors import GatewayRefusal, unusable
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.principals import Principal, require_sending
from claude_comm.names import TOPIC_PREFIX, check_name, check_target
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract

# How old what is known of contracts may be (seconds), and how many publishers are kept.
LOOK_S = 1.0
_MOST_PUBLISHERS = 256
_MAX_TIMEOUT_S = 300.0


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message to send. Without `source` it is the asking module's own."""

    target: str
    data: Any = None
    type: str = DEFAULT_TYPE
    source: str = ""
    session: str = ""
    correlation: str = ""
    causation: str = ""
    headers: dict[str, str] = {}
    content_type: str = MSGPACK
    delay_s: float | None = None
    ttl_s: float | None = None


class GatewayPublishers:
    """The publishers of one gateway, each with the contract that it sends under."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._publishers: dict[tuple[str, str], AsyncPublisher] = {}
        self._contracts: dict[str, tuple[list[Contract], float]] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self.sent = self.refused = 0

    async def publish(self, principal: Principal, message: Message) -> str:
        """The id of the message, which is in its stream. Raises as `AsyncPublisher.publish`, and GatewayRefusal."""
        try:
            publisher = await self._prepared(principal, message)
            id_ = await publisher.publish(
                message.target,
                message.data,
                type=message.type,
                session=message.session,
                correlation=message.correlation,
                causation=message.causation,
                content_type=message.content_type,
                headers=message.headers or None,
                delay_s=message.delay_s,
                ttl_s=message.ttl_s,
            )
        except BaseException:
            self.refused += 1
            raise
        self.sent += 1
        return id_

    async def request(self, principal: Principal, message: Message, timeout_s: float = DEFAULT_TIMEOUT_S) -> Any:
        """The reply. Raises as `AsyncPublisher.request`, and GatewayRefusal."""
        if not 0 < timeout_s <= _MAX_TIMEOUT_S:
            raise unusable(f"timeout_s: more than 0 and up to {_MAX_TIMEOUT_S:g} seconds.")
        publisher = await self._prepared(principal, message)
        return await publisher.request(
            message.target, message.data, type=message.type, timeout_s=timeout_s, session=message.session
        )

    async def close(self) -> None:
        for publisher in self._publishers.values():
            await publisher.close()

    async def _prepared(self, principal: Principal, message: Message) -> AsyncPublisher:
        """The publisher for a message that may be sent, which is held to its contract. Raises GatewayRefusal,
        ContractBroken, NegotiationRefused."""
        source = check_name(message.source or principal.name, "source")
        check_target(message.target)
        check_name(message.type, "message type")
        require_sending(principal, source, message.target)
        _refuse_manifest(message)
        self._limit(principal.name)
        own = await self._offered(source)
        publisher = await self._publisher(source, own[0].digest if own else "")
        if publisher.agreed(message.target, message.type):
            return publisher
        declared = _declared(own, message.target, message.type)
        if declared is not None:
            await publisher.negotiate(message.target, declared, type=message.type)
        elif message.content_type == MSGPACK:
            await self._accepted(message)
        return publisher

    async def _accepted(self, message: Message) -> None:
        """Raises ContractBroken where no version of the target accepts it."""
        if message.target.startswith(TOPIC_PREFIX):
            return
        refusals: list[ContractBroken] = []
        for contract in await self._offered(message.target):
            try:
                require_accepted(contract, message.type, message.data)
                return
            except ContractBroken as broken:
                refusals.append(broken)
        if refusals:
            raise refusals[0]

    async def _publisher(self, source: str, digest: str) -> AsyncPublisher:
        publisher = self._publishers.get((source, digest))
        if publisher is None:
            publisher = AsyncPublisher(source, settings=self._gateway.settings, client=self._gateway.client)
            self._publishers[source, digest] = publisher
            while len(self._publishers) > _MOST_PUBLISHERS:
                oldest = next(iter(self._publishers))
                await self._publishers.pop(oldest).close()
        return publisher

    async def _offered(self, module: str) -> list[Contract]:
        contracts, until_s = self._contracts.get(module, ([], 0.0))
        if time.monotonic() >= until_s:
            keys = self._gateway.keys
            contracts = await self._gateway.client.run(registry.offered(keys, module, now_ms=millis()))
            if len(self._contracts) >= _MOST_PUBLISHERS:
                self._contracts.clear()
            self._contracts[module] = contracts, time.monotonic() + LOOK_S
        return contracts

    def _limit(self, name: str) -> None:
        """Raises GatewayRefusal for a module that sends more than its rate."""
        rate = self._gateway.options.limits.rate
        if not rate:
            return
        now = time.monotonic()
        left, at = self._buckets.get(name, (2 * rate, now))
        left = min(2 * rate, left + (now - at) * rate)
        if left < 1:
            raise GatewayRefusal(
                429, "too_fast", f"{name} sends more than {rate:g} messages a second: slow down.", retry_s=1 / rate
            )
        self._buckets[name] = left - 1, now


def _declared(contracts: list[Contract], target: str, type: str) -> Any:
    """The schema that the sender declares for this message; None where it declares none."""
    for contract in contracts:
        for produced in contract.produces:
            if produced.type == type and produced.target in ("", target):
                return produced.schema
    return None


def _refuse_manifest(message: Message) -> None:
    """A manifest names chunks in the store of whoever reads it: written by a stranger, it would be a guess at data of
    others, which the reader then takes for that of the message. Raises GatewayRefusal."""
    if message.content_type.partition(";")[0].strip().casefold() == BLOB:
        raise unusable(f"content_type: {BLOB} is made by a publisher that stores the data: send the data itself.")
