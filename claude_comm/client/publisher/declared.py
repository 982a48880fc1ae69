"""Negotiating what one registered module declares for another, in all versions that messages may come from.

Law: every version of the producer is held to every version of the consumer, the preferred one first. A counter-proposal
answers the only refusal among them.
"""

from __future__ import annotations

from claude_comm.client.identity import millis
from claude_comm.client.publisher import negotiate, rounds
from claude_comm.errors import ConfigurationError, NotFound, UnknownModule
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.dialogue import Counter
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


def negotiated(
    client: Client, settings: Settings, producer: str, consumer: str, type: str = ""
) -> list[list[Agreement]]:
    """For each version and type of the producer, the answers of the versions of the consumer. Raises NotFound and
    UnknownModule."""
    keys = Keys(settings.namespace)
    outcomes = []
    for contract in _offered(client, keys, producer):
        for produced in contract.produces:
            if produced.target in ("", consumer) and type in ("", produced.type):
                asked = client.run(negotiate.questions(keys, producer, consumer, produced.type, produced.schema))
                outcomes += [
                    [negotiate.ask(client, settings, question) for question in about]
                    for about in asked.readers.values()
                ]
    if not outcomes:
        what = f"{type!r} messages" if type else "messages"
        raise NotFound(
            f"{producer!r} declares no {what} for {consumer!r}; `claude-comm module show {producer}` says what."
        )
    return outcomes


def countered(client: Client, settings: Settings, outcomes: list[list[Agreement]], counter: Counter) -> Agreement:
    """The outcome of a round after the only refusal among them. Raises ConfigurationError."""
    refusals = [agreements for agreements in outcomes if not any(agreement.fits for agreement in agreements)]
    if len(refusals) != 1:
        raise ConfigurationError(
            f"a counter-proposal answers one refusal, and there are {len(refusals)}: name the message with its type."
        )
    return rounds.answer(client, Keys(settings.namespace), refusals[0][0], counter)


def _offered(client: Client, keys: Keys, module: str) -> list[Contract]:
    contracts: list[Contract] = client.run(registry.offered(keys, module, now_ms=millis()))
    if not contracts:
        raise UnknownModule(module, client.run(registry.names(keys)))
    return contracts
