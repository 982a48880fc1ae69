"""walrus: its Stream and its ConsumerGroup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import walrus

from benchmarks.actors import Act
from benchmarks.messages import Handler, decode, encode, paced, payload
from benchmarks.place import Place

BATCH = 500


@contextmanager
def publish(place: Place) -> Iterator[Act]:
    yield from _publishing(place, "walrus")


@contextmanager
def fill(place: Place) -> Iterator[Act]:
    yield from _publishing(place, "walrus-in")


@contextmanager
def send_paced(place: Place) -> Iterator[Act]:
    stream = walrus.Database(unix_socket_path=place.socket).Stream("walrus-in")
    yield lambda count: paced(count, lambda data: stream.add({"data": encode(data)}))


@contextmanager
def consume(place: Place) -> Iterator[Act]:
    database = walrus.Database(unix_socket_path=place.socket)
    database.Stream("walrus-in").add({"data": encode(payload(0))})  # a group needs its stream
    group = database.consumer_group("g", ["walrus-in"])
    group.create()
    (_first,) = group.walrus_in.read(count=1)
    group.walrus_in.ack(_first[0])

    def act(count: int) -> list[int]:
        handler = Handler()
        while handler.count < count:
            entries = group.walrus_in.read(count=BATCH, block=1000)
            for _id, fields in entries:
                handler(decode(fields[b"data"]))
            if entries:
                group.walrus_in.ack(*[id_ for id_, _ in entries])
        return handler.latencies_ns

    yield act


def _publishing(place: Place, name: str) -> Iterator[Act]:
    stream = walrus.Database(unix_socket_path=place.socket).Stream(name)

    def act(count: int) -> None:
        for number in range(count):
            stream.add({"data": encode(payload(number))})

    yield act
