"""Modules that sign, and demand signatures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.messages import payload, payloads
from benchmarks.peers.ours import Act, _consume
from benchmarks.place import Place
from claude_comm import Consumer, Publisher, Settings
from claude_comm.client import keyholders
from claude_comm.runtime import key_files
from claude_comm.transport.connect import connect

SENDER, READER = "signer", "believer"


def settings(place: Place) -> Settings:
    return msgspec.structs.replace(place.settings("signed"), signing="require")


def make_keys(place: Place) -> None:
    with connect(settings(place)) as client:
        for holder in (SENDER, READER):
            added = keyholders.add(client, settings(place), holder)
            key_files.save(key_files.path_of(settings(place).home, holder), added.pair)


@contextmanager
def publish_many(place: Place, reader: str = "sink") -> Iterator[Act]:
    with Publisher(SENDER, settings=settings(place)) as publisher:
        yield lambda count: publisher.publish_many(reader, payloads(count))


@contextmanager
def publish_one_by_one(place: Place) -> Iterator[Act]:
    with Publisher(SENDER, settings=settings(place)) as publisher:

        def act(count: int) -> None:
            for number in range(count):
                publisher.publish("sink", payload(number))

        yield act


@contextmanager
def consume(place: Place) -> Iterator[Act]:
    with Consumer(READER, settings=settings(place), batch=500) as consumer:
        consumer.read(wait_s=0)
        yield lambda count: _consume(consumer, count)
