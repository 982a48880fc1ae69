"""Pipelines under signatures: inputs, what steps pass on, joins and results are signed, and forged results are none."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.client.pipeline.signatures import Signatures
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, encode, pack
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.ops.publish import announce
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.tally import Finished
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, results, step, up
from tests.support.signed_namespace import forge, signed


def add_one(payload: Any) -> Any:
    return {"n": payload["n"] + 1}


def total(payload: Any) -> Any:
    return payload["left"]["n"] + payload["right"]["n"]


def test_a_fan_out_and_its_join_run_where_signatures_are_demanded(
    settings: Settings, client: Client, keys: Keys
) -> None:
    signing = signed(settings, client, modules=("split", "left", "right", "total"))
    pipeline = document(
        step("split", after=[]),
        step("left", after="split"),
        step("right", after="split"),
        step("total", after=["left", "right"]),
    )
    modules = [module(signing, name, add_one) for name in ("split", "left", "right")]
    with connect(signing) as trusting:
        # Somebody who is no module says that the session has ended.
        client.run(announce(keys, [keys.inbox(collector("s"))]))
        lie = Envelope(id="x", source="total", target=collector("s"), session="s", time=1, data=pack(666))
        forge(client, keys.inbox(collector("s")), encode(lie))
        with up(trusting, signing, *modules, module(signing, "total", total)):
            ended = results(trusting, signing, pipeline, [{"n": n} for n in range(20)])
    assert ended == [Finished(input=n, result=2 * n + 4) for n in range(20)]
    with open_database(settings.database) as database:
        caught_up(client, database, signing)
        assert database.rows("SELECT source, message_id FROM doubtful") == [("total", "x")]
    for name in ("split", "left", "right", "total"):
        assert client.data.one(Command(("XLEN", keys.dead(name)))) == 0


def test_without_the_operators_key_a_run_says_what_to_do(settings: Settings, client: Client) -> None:
    signing = signed(settings, client, services=())
    with pytest.raises(ConfigurationError, match="module add operator --service"):
        Signatures(signing)
