"""The simple face: what one process sends another reads, without consuming it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import AsyncModuleCommunicator, Consumer, ModuleCommunicator, Settings
from claude_comm.errors import (
    AgreementBroken,
    ConfigurationError,
    EncodeError,
    InvalidName,
    NegotiationRefused,
    UnknownModule,
)
from claude_comm.schema import Incompatible
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def communicator(settings: Settings) -> Any:
    with ModuleCommunicator("sparta", settings=settings) as opened:
        yield opened


def test_a_message_is_read_back_newest_first_without_being_consumed(
    communicator: ModuleCommunicator, settings: Settings
) -> None:
    first = communicator.send_message("sparta", "marker", {"n": 1})
    second = communicator.send_message("other", "marker", {"n": 2})
    for _ in range(2):
        found = communicator.get_messages("marker")
        assert [row["id"] for row in found] == [second, first]
        assert found[0]["source"] == "other"
        assert found[0]["data"] == {"n": 2}
        assert set(found[0]) == {"id", "source", "target", "data", "timestamp"}
    with Consumer("marker", settings=settings) as consumer:
        assert [delivery.envelope.id for delivery in consumer.read()] == [first, second]


def test_a_target_that_nobody_wrote_to_has_no_messages(communicator: ModuleCommunicator) -> None:
    assert communicator.get_messages("nobody") == []


def test_a_thousand_messages_of_one_process_are_read_by_another(home: Path) -> None:
    environ = child_environ(CLAUDE_COMM_HOME=str(home))
    send = (
        "from claude_comm import ModuleCommunicator\nwith ModuleCommunicator('a') as c:\n"
        "    for n in range(1000): c.send_message('a', 'b', {'n': n})\n"
    )
    read = (
        "from claude_comm import ModuleCommunicator\nwith ModuleCommunicator('b') as c:\n"
        "    print([m['data']['n'] for m in c.get_messages('b')] == list(range(999, -1, -1)))\n"
    )
    subprocess.run([sys.executable, "-c", send], env=environ, check=True)
    answer = subprocess.run([sys.executable, "-c", read], env=environ, check=True, capture_output=True, text=True)
    assert answer.stdout == "True\n"


def test_progress_is_the_latest_report(communicator: ModuleCommunicator) -> None:
    assert communicator.get_progress("pages") == {"completed": 0, "total": 0, "percentage": 0}
    communicator.track_progress("pages", 1, 4)
    communicator.track_progress("pages", 3, 4)
    assert communicator.get_progress("pages") == {"completed": 3, "total": 4, "percentage": 75}


def test_one_module_reads_the_progress_of_another(communicator: ModuleCommunicator, settings: Settings) -> None:
    communicator.track_progress("pages", 1, 2)
    with ModuleCommunicator("other", settings=settings) as other:
        assert other.get_progress("pages")["percentage"] == 50


@pytest.mark.parametrize(("completed", "total"), [(-1, 2), ("1", 2), (1, float("nan")), (True, 1), (1, None)])
def test_progress_takes_numbers_from_0_up(communicator: ModuleCommunicator, completed: Any, total: Any) -> None:
    with pytest.raises(ConfigurationError, match="number"):
        communicator.track_progress("pages", completed, total)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("a b", "marker", {}), InvalidName),
        (("sparta", "a/b", {}), InvalidName),
        (("sparta", "marker", "text"), ConfigurationError),
        (("sparta", "marker", {"x": object()}), EncodeError),
    ],
)
def test_wrong_words_are_refused_at_the_door(
    communicator: ModuleCommunicator, words: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        communicator.send_message(*words)
    assert communicator.get_messages("marker") == []


def test_a_sample_that_fits_becomes_an_agreement_that_is_enforced(
    communicator: ModuleCommunicator, settings: Settings
) -> None:
    with ModuleCommunicator("marker", settings=settings) as marker:
        marker.register(accepts={"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]})
    agreement = communicator.negotiate_schema("marker", {"n": 3, "extra": "fine"})
    assert agreement.fits
    communicator.send_message("sparta", "marker", {"n": 4, "extra": "also"})
    with pytest.raises(AgreementBroken, match=r"\$\.n"):
        communicator.send_message("sparta", "marker", {"n": "four", "extra": "not"})


def test_a_sample_that_does_not_fit_raises_with_the_refusal(
    communicator: ModuleCommunicator, settings: Settings
) -> None:
    with ModuleCommunicator("marker", settings=settings) as marker:
        marker.register(accepts={"message": {"type": "object", "required": ["n"]}})
    with pytest.raises(NegotiationRefused) as caught:
        communicator.negotiate_schema("marker", {"m": 3})
    verdict = caught.value.refusal.verdict  # type: ignore[attr-defined]
    assert isinstance(verdict, Incompatible)
    assert "n" not in verdict.witness


def test_a_target_that_never_registered_is_unknown_and_not_agreed_with(communicator: ModuleCommunicator) -> None:
    with pytest.raises(UnknownModule, match="claude-comm modules"):
        communicator.negotiate_schema("marker", {"n": 3})


def test_types_may_be_registered_in_place_of_schemas(communicator: ModuleCommunicator) -> None:
    class Page(msgspec.Struct):
        n: int

    declared = communicator.register(accepts={"page": Page}, produces=Page, version="2.1")
    assert declared.accepts["page"]["properties"] == {"n": {"type": "integer"}}  # type: ignore[index]
    assert declared.produces[0].type == "message"
    assert declared.version == "2.1"


def test_a_session_stamps_what_is_sent_within_it(communicator: ModuleCommunicator, settings: Settings) -> None:
    communicator.send_message("sparta", "marker", {"n": 0})
    with communicator.session("nightly"):
        communicator.send_message("sparta", "marker", {"n": 1})
        communicator.track_progress("pages", 1, 1)
    communicator.send_message("sparta", "marker", {"n": 2})
    with open_database(settings.database) as database:
        catch_up(communicator.client, database, communicator.identity.keys, max_bytes=settings.max_envelope_bytes)
        assert [row.session for row in queries.messages(database, target="marker")] == ["", "nightly", ""]
        found = queries.session(database, "nightly")
    assert found is not None
    assert found.modules_active == ["sparta"]


def test_two_threads_are_in_two_sessions(communicator: ModuleCommunicator, settings: Settings) -> None:
    ready = threading.Barrier(2)

    def work(name: str) -> None:
        with communicator.session(name):
            ready.wait(PATIENCE_S)
            communicator.send_message("sparta", name, {})

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_database(settings.database) as database:
        catch_up(communicator.client, database, communicator.identity.keys, max_bytes=settings.max_envelope_bytes)
        assert {row.target: row.session for row in queries.messages(database)} == {"one": "one", "two": "two"}


def test_the_asyncio_face_does_the_same(settings: Settings) -> None:
    async def scenario() -> None:
        async with AsyncModuleCommunicator("sparta", settings=settings) as communicator:
            await communicator.register(accepts={"type": "object"})
            with communicator.session("s"):
                await asyncio.gather(*(communicator.send_message("sparta", "sparta", {"n": n}) for n in range(20)))
            found = await communicator.get_messages("sparta", limit=5)
            assert len(found) == 5
            await communicator.track_progress("t", 1, 2)
            assert (await communicator.get_progress("t"))["percentage"] == 50
            assert (await communicator.negotiate_schema("sparta", {"n": 1})).fits

    asyncio.run(scenario())
