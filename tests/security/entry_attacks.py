"""Attacks of a module that was taken over on what others sent, beside those of `test_threats`: each says whether it
succeeded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from claude_comm import Publisher
from claude_comm.client import keyholders
from claude_comm.client.identity import identify
from claude_comm.client.publisher.outbox_sender import OutboxSender
from claude_comm.effects import Command
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import projection_progress
from claude_comm.runtime import key_files, trusted_keys
from tests.support.tiers import EVIL, World, message
from tests.support.waiting import wait_until


def take_a_delayed_place(world: World) -> bool:
    """A message with the id of one that waits, put before it: the true one is taken for a copy of it."""
    later, handled = world.keys.later("b"), list[object]()
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish("b", "true", delay_s=0.05)
    waiting = world.attacker.data.one(Command(("ZRANGE", later, 0, -1)))[0]
    start = waiting.index(b"\xa2id") + 5
    world.add(world.keys.inbox("b"), message("evil", id=waiting[start : start + 36].decode()))

    def is_over() -> bool:
        handled.extend(world.handled())
        return not world.owner.data.one(Command(("EXISTS", later)))

    wait_until(is_over)
    return "true" not in [*handled, *world.handled()]


def empty_an_outbox(world: World) -> bool:
    """A position of a projection that nobody runs: an outbox forgets what is stored nowhere."""
    with Publisher("a", settings=world.settings) as publisher:
        publisher.publish("b", 1)
    inbox = world.keys.inbox("b")
    last = world.owner.data.one(Command(("XREVRANGE", inbox, "+", "-", "COUNT", 1)))[0][0].decode()
    signer = identify(EVIL, world.settings).signer
    with suppress(ServerRefused):
        world.attacker.run(projection_progress.report(world.keys, "p", {inbox: last}, signer=signer))
    outbox = OutboxSender(identify("a", world.settings), world.settings.home / "kept.outbox", 10_000, "wait")
    try:
        told = world.owner.run(outbox._believed.reported(world.keys, since_ms=0))
        return any(positions.get(inbox) == last for positions in told)
    finally:
        outbox.close()


def send_after_revocation(world: World) -> bool:
    """Where there are no keys, none can be revoked."""
    if world.settings.signing == "require":
        keyholders.revoke(world.owner, world.settings, EVIL)
    with Publisher(EVIL, settings=world.evil) as publisher:
        publisher.publish("b", "still here")
    return "still here" in world.handled()


def copy_from_another_namespace(world: World) -> bool:
    """A message that `a` sent to another `b`, with the same key."""
    other = msgspec.structs.replace(world.settings, namespace=f"{world.settings.namespace}x")
    inbox = Keys(other.namespace).inbox("b")
    with Publisher("a", settings=other) as publisher:
        publisher.publish("b", "for another")
    ((_, fields),) = world.owner.data.one(Command(("XRANGE", inbox, "-", "+")))
    for key in world.owner.data.one(Command(("KEYS", f"{other.namespace}:*"))):
        world.owner.data.one(Command(("DEL", key)))
    world.add(world.keys.inbox("b"), fields[1], *fields[2:])
    return "for another" in world.handled()


def take_the_keyring_away(world: World) -> bool:
    """So that a key that was revoked counts again, or nothing is checked any more."""
    if world.settings.signing != "require":
        world.attacker.control.one(Command(("DEL", world.keys.keyring)))
        return True
    before = trusted_keys.newest(
        world.owner.control.one(Command(("GET", world.keys.keyring))),
        world.settings,
        key_files.load(key_files.path_of(world.settings.home, key_files.ADMIN)).public,
    )
    world.attacker.control.one(Command(("DEL", world.keys.keyring)))
    trusted = trusted_keys.TrustedKeys(world.settings)
    world.owner.run(trusted.renew())
    return trusted.verifier.keyring != before


ATTACKS: dict[str, Callable[[World], bool]] = {
    "put a message with the id of a delayed one before it, so that the true one counts as a copy": take_a_delayed_place,
    "report a projection's position, so that an outbox forgets": empty_an_outbox,
    "send under a key that was revoked": send_after_revocation,
    "copy a message from another namespace": copy_from_another_namespace,
    "take the keyring away": take_the_keyring_away,
}
