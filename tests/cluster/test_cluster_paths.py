"""On three masters: publishing in both drivers, spread over all, consumed, projected."""

from __future__ import annotations

import asyncio

from claude_comm import AsyncPublisher, Consumer, Publisher, Settings
from claude_comm.names import Keys
from claude_comm.drive.connect import connect
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from tests.cluster.masters import Masters, modules_on_all


def test_smoke(settings: Settings, masters: Masters) -> None:
    names = modules_on_all(masters, settings.namespace)
    with Publisher("source", settings=settings) as publisher:
        for n in range(100):
            for name in names:
                publisher.publish_soon(name, n)
        publisher.flush()
    assert all(node.streams(settings.namespace) for node in masters.nodes)
    for name in names:
        with Consumer(name, settings=settings) as consumer:
            got = []
            while len(got) < 100:
                for d in consumer.read():
                    got.append(d.payload())
                    consumer.ack(d)
            assert got == list(range(100))
    with connect(settings) as links, open_database(settings.database) as db:
        catch_up(links, db, Keys(settings.namespace), max_bytes=100000)
        assert db.rows("select count(*), count(distinct message_id) from messages") == [(600, 600)]
