"""Modules that talk over Redis streams, and prove that they can before they do.

This is the front door: what is named here is public, and imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_comm.version import __version__

if TYPE_CHECKING:
    from claude_comm.client.communicator import AsyncModuleCommunicator, ModuleCommunicator
    from claude_comm.client.consumer.async_consumer import AsyncConsumer
    from claude_comm.client.consumer.consumer import Consumer
    from claude_comm.client.consumer.delivery import Delivery
    from claude_comm.client.module.context import Context
    from claude_comm.client.module.module import Module
    from claude_comm.client.publisher.async_publisher import AsyncPublisher
    from claude_comm.client.publisher.publisher import Publisher
    from claude_comm.delivery.retry import RetryPolicy
    from claude_comm.envelope import Envelope
    from claude_comm.errors import ClaudeCommError, ReplyTimeout, RequestFailed
    from claude_comm.negotiation.agreement import Agreement
    from claude_comm.settings import Settings

_HOMES = {
    "Agreement": "claude_comm.negotiation.agreement",
    "AsyncConsumer": "claude_comm.client.consumer.async_consumer",
    "AsyncModuleCommunicator": "claude_comm.client.communicator",
    "AsyncPublisher": "claude_comm.client.publisher.async_publisher",
    "ClaudeCommError": "claude_comm.errors",
    "Consumer": "claude_comm.client.consumer.consumer",
    "Context": "claude_comm.client.module.context",
    "Delivery": "claude_comm.client.consumer.delivery",
    "Envelope": "claude_comm.envelope",
    "Module": "claude_comm.client.module.module",
    "ModuleCommunicator": "claude_comm.client.communicator",
    "Publisher": "claude_comm.client.publisher.publisher",
    "ReplyTimeout": "claude_comm.errors",
    "RequestFailed": "claude_comm.errors",
    "RetryPolicy": "claude_comm.delivery.retry",
    "Settings": "claude_comm.settings",
}

__all__ = [
    "Agreement",
    "AsyncConsumer",
    "AsyncModuleCommunicator",
    "AsyncPublisher",
    "ClaudeCommError",
    "Consumer",
    "Context",
    "Delivery",
    "Envelope",
    "Module",
    "ModuleCommunicator",
    "Publisher",
    "ReplyTimeout",
    "RequestFailed",
    "RetryPolicy",
    "Settings",
    "__version__",
]


def __getattr__(name: str) -> object:
    """Imports the file that defines a public name on first access (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'claude_comm' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
