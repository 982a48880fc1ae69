"""What of a flow is sensitive: by the agreement that it goes under, else by the contracts of its two ends.

Law: where that cannot be found out, everything is.
"""

from __future__ import annotations

from claude_comm.errors import ClaudeCommError
from claude_comm.impact.sensitive import EVERYTHING, Marks, marks
from claude_comm.names import TOPIC_PREFIX, Keys, is_name
from claude_comm.ops import agreements, registry
from claude_comm.registry.contracts import Contract
from claude_comm.store.shapes import Flow, MarksOf
from claude_comm.transport.driver import Client


def marks_of(client: Client, keys: Keys) -> MarksOf:
    """Agreements are addressed by their content, and asked for once; contracts change."""
    agreed: dict[str, Marks] = {}

    def of(flow: Flow) -> Marks:
        # A database may hold what was sent in several namespaces.
        own = keys if flow.stream.startswith(f"{keys.namespace}:") else Keys(flow.stream.partition(":{")[0])
        try:
            if flow.agreement and flow.agreement not in agreed:
                agreement = client.run(agreements.find(own, flow.agreement))
                if agreement is not None:
                    agreed[flow.agreement] = marks(agreement.produced, agreement.accepted)
            declared = _declared(client, own, flow)
        except ClaudeCommError:
            return EVERYTHING
        under = agreed.get(flow.agreement)
        return declared if under is None else Marks(under.places | declared.places, declared.everything)

    return of


def _declared(client: Client, keys: Keys, flow: Flow) -> Marks:
    """What the contracts of both ends mark now: a mark that was added since counts."""
    schemas = []
    if is_name(flow.source):
        sender: Contract | None = client.run(registry.find(keys, flow.source))
        sent = sender.sends(flow.target, flow.type) if sender is not None else None
        schemas += [sent] if sent is not None else []
    if not flow.target.startswith(TOPIC_PREFIX) and is_name(flow.target):
        reader: Contract | None = client.run(registry.find(keys, flow.target))
        schemas += [reader.accepts[flow.type]] if reader is not None and flow.type in reader.accepts else []
    return marks(*schemas)
