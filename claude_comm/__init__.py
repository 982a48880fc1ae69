"""Modules that talk over Redis streams, and prove that they can before they do.

This is the front door: what is named here is public, and imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_comm.version import __version__

if TYPE_CHECKING:
    from claude_comm.client.communicator.async_communicator import AsyncModuleCommunicator
    from claude_comm.client.communicator.communicator import ModuleCommunicator
    from claude_comm.client.consumer.async_consumer import AsyncConsumer
    from claude_comm.client.consumer.consumer import Consumer
    from claude_comm.client.consumer.delivery import Delivery
    from claude_comm.client.module.async_context import AsyncContext
    from claude_comm.client.module.context import Context
    from claude_comm.client.module.module import Module
    from claude_comm.client.publisher.async_publisher import AsyncPublisher
    from claude_comm.client.publisher.publisher import Publisher
    from claude_comm.delivery.retry import RetryPolicy
    from claude_comm.envelope import Envelope
    from claude_comm.errors import (
        AgreementBroken,
        ClaudeCommError,
        ConfigurationError,
        EncodeError,
        InboxFull,
        InvalidName,
        ModuleStopped,
        NegotiationRefused,
        NoResponder,
        NotOnDisk,
        PublisherBusy,
        PublisherClosed,
        PublisherFull,
        ReplyTimeout,
        RequestFailed,
        ServerFull,
        ServerRefused,
        ServerUnreachable,
        StoreError,
        TooLarge,
        UnknownModule,
    )
    from claude_comm.negotiation.agreement import Agreement
    from claude_comm.settings import Settings

_HOMES = {
    "Agreement": "claude_comm.negotiation.agreement",
    "AgreementBroken": "claude_comm.errors",
    "AsyncContext": "claude_comm.client.module.async_context",
    "AsyncConsumer": "claude_comm.client.consumer.async_consumer",
    "AsyncModuleCommunicator": "claude_comm.client.communicator.async_communicator",
    "AsyncPublisher": "claude_comm.client.publisher.async_publisher",
    "ClaudeCommError": "claude_comm.errors",
    "ConfigurationError": "claude_comm.errors",
    "Consumer": "claude_comm.client.consumer.consumer",
    "Context": "claude_comm.client.module.context",
    "Delivery": "claude_comm.client.consumer.delivery",
    "EncodeError": "claude_comm.errors",
    "Envelope": "claude_comm.envelope",
    "InboxFull": "claude_comm.errors",
    "InvalidName": "claude_comm.errors",
    "Module": "claude_comm.client.module.module",
    "ModuleStopped": "claude_comm.errors",
    "ModuleCommunicator": "claude_comm.client.communicator.communicator",
    "NegotiationRefused": "claude_comm.errors",
    "Publisher": "claude_comm.client.publisher.publisher",
    "PublisherBusy": "claude_comm.errors",
    "PublisherClosed": "claude_comm.errors",
    "PublisherFull": "claude_comm.errors",
    "NoResponder": "claude_comm.errors",
    "NotOnDisk": "claude_comm.errors",
    "ReplyTimeout": "claude_comm.errors",
    "RequestFailed": "claude_comm.errors",
    "RetryPolicy": "claude_comm.delivery.retry",
    "ServerFull": "claude_comm.errors",
    "ServerRefused": "claude_comm.errors",
    "ServerUnreachable": "claude_comm.errors",
    "Settings": "claude_comm.settings",
    "StoreError": "claude_comm.errors",
    "TooLarge": "claude_comm.errors",
    "UnknownModule": "claude_comm.errors",
}

__all__ = [
    "Agreement",
    "AgreementBroken",
    "AsyncConsumer",
    "AsyncContext",
    "AsyncModuleCommunicator",
    "AsyncPublisher",
    "ClaudeCommError",
    "ConfigurationError",
    "Consumer",
    "Context",
    "Delivery",
    "EncodeError",
    "Envelope",
    "InboxFull",
    "InvalidName",
    "Module",
    "ModuleCommunicator",
    "ModuleStopped",
    "NegotiationRefused",
    "NoResponder",
    "NotOnDisk",
    "Publisher",
    "PublisherBusy",
    "PublisherClosed",
    "PublisherFull",
    "ReplyTimeout",
    "RequestFailed",
    "RetryPolicy",
    "ServerFull",
    "ServerRefused",
    "ServerUnreachable",
    "Settings",
    "StoreError",
    "TooLarge",
    "UnknownModule",
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
