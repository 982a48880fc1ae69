"""A round of a dialogue between two modules: a counter-proposal after a refusal, weighed and recorded.

Law: what a round finds out is stored like any agreement, and stands in the history of the pair, whoever was right.
"""

from __future__ import annotations

from typing import Literal

from claude_comm.client.identity import micros
from claude_comm.names import Keys
from claude_comm.negotiation import agreement as agreements
from claude_comm.negotiation import dialogue
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.dialogue import Counter
from claude_comm.ops import agreements as stored
from claude_comm.transport.driver import Client


def answer(client: Client, keys: Keys, refusal: Agreement, counter: Counter) -> Agreement:
    """The outcome of a counter-proposal after this refusal. Raises ConfigurationError for one that is none, or where
    the dialogue has had its rounds; SchemaError for a schema that cannot be used."""
    pair = client.run(stored.pair(keys, refusal.producer, refusal.consumer, refusal.type))
    dialogue.check_counter(counter, pair)
    question, result = dialogue.weighed(refusal.question, counter)
    outcome = agreements.conclude(question, result, decided_by="caller", decided_us=micros())
    kind: Literal["offer", "binding"] = "binding" if dialogue.is_binding(counter, outcome) else "offer"
    client.run(stored.store(keys, outcome, because=counter.sentence, as_round=kind))
    return outcome
