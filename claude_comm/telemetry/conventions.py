"""The names of OpenTelemetry's semantic conventions for messaging that we use, as of version 1.44.

Law: each name of the conventions is written here and nowhere else. A test compares them with the package
`opentelemetry-semantic-conventions`, where messaging is still in a private folder: so they are not imported from there.
"""

from __future__ import annotations

# No value for Redis streams exists; the conventions allow one's own.
SYSTEM_NAME = "claude_comm"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
GROUP = "messaging.consumer.group.name"
CLIENT = "messaging.client.id"
MESSAGE_ID = "messaging.message.id"
CONVERSATION = "messaging.message.conversation_id"
BATCH_COUNT = "messaging.batch.message_count"
ERROR_TYPE = "error.type"

# Of ours, where the conventions have no name.
MESSAGE_TYPE = "claude_comm.message.type"
SESSION = "claude_comm.session"
ATTEMPT = "claude_comm.delivery.attempt"

# What we call our operations, and the types that the conventions have for them.
CREATE, SEND, RECEIVE, PROCESS = "create", "send", "receive", "process"
ACK, RETRY, BURY = "ack", "retry", "bury"
TYPES = {
    CREATE: "create",
    SEND: "send",
    RECEIVE: "receive",
    PROCESS: "process",
    ACK: "settle",
    RETRY: "settle",
    BURY: "settle",
}

OPERATION_DURATION = "messaging.client.operation.duration"
SENT_MESSAGES = "messaging.client.sent.messages"
CONSUMED_MESSAGES = "messaging.client.consumed.messages"
PROCESS_DURATION = "messaging.process.duration"


def span_name(operation: str, destination: str) -> str:
    """Few for each module: neither a session nor an id is part of it."""
    return f"{operation} {destination}"


def error_type(error: BaseException | None) -> str:
    """The class of an error, as the conventions name it; empty for none."""
    if error is None:
        return ""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
