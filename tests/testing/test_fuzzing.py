"""Fuzzing finds what handlers do with messages of their own contract, and shows it with the smallest message."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from claude_comm import AsyncContext, ConfigurationError, Context, Module
from claude_comm.testing import AnswerNeeded, Defect, HandledMessage, HandlerFailed, assert_handles, fuzz, fuzz_refuse
from claude_comm.testing.edges import edges
from claude_comm.testing.near import outside
from claude_comm.testing.smallest import smallest
from tests.support.command_line import Ran
from tests.support.homes import child_environ


class Order(msgspec.Struct):
    name: str
    count: Annotated[int, msgspec.Meta(ge=0, le=100_000)]
    note: str | None = None
    tags: list[str] = []


class Card(msgspec.Struct, tag="card"):
    number: str


class Cash(msgspec.Struct, tag="cash"):
    amount: Annotated[int, msgspec.Meta(ge=0)]


class Total(msgspec.Struct):
    total: Annotated[int, msgspec.Meta(le=1_000)]


def handling(function: Callable[..., Any], shape: Any, reply: Any = None) -> Module:
    module = Module("shop")
    module.produces("sold", Total, target="books")
    function.__annotations__.update({"payload": shape, "return": reply})
    module.handles("order")(function)
    return module


def only(module: Module) -> Defect:
    (result,) = fuzz(module, examples=20)
    (defect,) = result.defects
    return defect


def raises_at_zero(payload: Any) -> None:
    _ = 1 / payload.count


def raises_at_odd_text(payload: Any) -> None:
    (payload.note or "").encode("ascii")


def raises_at_four_tags(payload: Any) -> None:
    if len(payload.tags) > 3:
        raise IndexError("too many tags")


def raises_above(payload: Any) -> None:
    if payload.count > 4_711:
        raise OverflowError("too many")


def raises_at_a_branch(payload: Any) -> None:
    if isinstance(payload, Cash) and payload.amount >= 10:
        raise LookupError("no change")


@pytest.mark.parametrize(
    ("handler", "shape", "reason", "message"),
    [
        (raises_at_zero, Order, "ZeroDivisionError", {"name": "", "count": 0}),
        (raises_at_odd_text, Order, "UnicodeEncodeError", {"name": "", "count": 0, "note": "é"}),
        (raises_at_four_tags, Order, "IndexError", {"name": "", "count": 0, "tags": ["", "", "", ""]}),
        (raises_above, Order, "OverflowError", {"name": "", "count": 4_712}),
        (raises_at_a_branch, Card | Cash, "LookupError", {"type": "cash", "amount": 10}),
    ],
)
def test_a_handler_that_raises_is_found_with_the_smallest_message(
    handler: Callable[..., Any], shape: Any, reason: str, message: Any
) -> None:
    defect = only(handling(handler, shape))
    assert (defect.kind, defect.reason.partition(":")[0], defect.message) == ("raised", reason, message)
    assert defect.place.startswith("test_fuzzing.py:")


def test_a_reply_that_is_not_what_is_declared_is_found() -> None:
    def sums(payload: Any) -> Any:
        return Total(payload.count)

    defect = only(handling(sums, Order, Total))
    assert (defect.kind, defect.place, defect.message) == ("reply", "$.total", {"name": "", "count": 1_001})


def test_a_message_sent_that_is_not_what_is_declared_is_found_although_the_handler_hides_it() -> None:
    def sends(payload: Any, context: Context) -> None:
        try:
            context.send("books", Total(payload.count * 2), type="sold")
        except Exception:  # noqa: BLE001
            return

    defect = only(handling(sends, Order))
    assert (defect.kind, defect.place) == ("sent", "books sold $.total")
    assert defect.message == {"name": "", "count": 501}


def test_a_handler_that_does_not_end_is_found() -> None:
    def hangs(payload: Any) -> None:
        while payload.note == "a":
            pass

    module = handling(hangs, Order)
    (result,) = fuzz(module, examples=0, limit_s=0.05)
    (defect,) = result.defects
    assert (defect.kind, defect.message["note"]) == ("hung", "a")


def test_several_defects_of_one_handler_are_found_each_once() -> None:
    def two(payload: Any) -> None:
        if payload.tags == []:
            raise KeyError("no tag")
        payload.name.encode("ascii")

    (result,) = fuzz(handling(two, Order), examples=0)
    assert {defect.reason.partition(":")[0] for defect in result.defects} == {"KeyError", "UnicodeEncodeError"}


def test_async_handlers_and_batches_are_called_as_they_are_at_run_time() -> None:
    module = Module("shop")

    @module.handles("late")
    async def late(payload: Order, context: AsyncContext) -> None:
        await asyncio.sleep(0)
        context.send("books", payload.name, type="note")
        if payload.count == 7:
            raise ValueError("seven")

    @module.handles_batch("many")
    def many(payloads: list[Order]) -> None:
        assert [order.count for order in payloads] != [100_000]

    results = {result.type: result.defects for result in fuzz(module, examples=0)}
    assert [defect.reason for defect in results["late"]] == []
    assert [defect.message["count"] for defect in results["many"]] == [100_000]
    handled = assert_handles(module, "late", {"name": "x", "count": 1})
    assert [(sent.target, sent.data) for sent in handled.sent] == [("books", "x")]
    with pytest.raises(HandlerFailed, match="seven"):
        assert_handles(module, "late", {"name": "x", "count": 7})


def test_what_is_allowed_is_no_defect() -> None:
    (result,) = fuzz(handling(raises_at_zero, Order), examples=20, allow=[ZeroDivisionError])
    assert result.defects == []


def test_a_request_is_answered_by_who_fuzzes() -> None:
    def asks(payload: Any, context: Context) -> None:
        answer = context.request("oracle", payload.count, as_=int)
        if answer == 14:
            raise ValueError("found")

    module = handling(asks, Order)
    (unanswered,) = fuzz(module, examples=0)
    assert "give one, `answers={'oracle': ...}`" in unanswered.needs
    with pytest.raises(AnswerNeeded):
        assert_handles(module, "order", {"name": "", "count": 1})
    (result,) = fuzz(module, examples=0, answers={"oracle": lambda count: 2 * count})
    assert result.defects == []
    assert isinstance(
        assert_handles(module, "order", {"name": "", "count": 1}, answers={("oracle", "message"): 3}), HandledMessage
    )
    with pytest.raises(HandlerFailed, match="found"):
        assert_handles(module, "order", {"name": "", "count": 7}, answers={"oracle": lambda count: 2 * count})


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no handler for 'lost' messages; there are: order"):
        fuzz(handling(raises_at_zero, Order), types=["lost"])


def test_edges_meet_each_bound_each_form_and_each_property() -> None:
    module = handling(raises_at_zero, Order)
    messages = list(edges(module.handlers[0].schema))
    assert {message["count"] for message in messages} >= {0, 1, 99_999, 100_000}
    assert {"note" in message for message in messages} == {True, False}
    assert {len(message.get("tags", [])) for message in messages} >= {0, 1, 2, 100}
    assert any(message.get("note") is None and "note" in message for message in messages)
    forms = [message["type"] for message in edges(handling(raises_at_zero, Card | Cash).handlers[0].schema)]
    assert set(forms) == {"card", "cash"}


def test_a_smallest_message_cannot_be_made_smaller_by_one_step() -> None:
    whole = {"a": [3, 1, 4], "b": "some text", "c": {"d": -1_000, "e": None}}
    assert smallest(whole, lambda message: isinstance(message, dict) and "c" in message) == {"c": 0}
    assert smallest(whole, lambda message: "tex" in str(message)) == "tex"
    assert smallest(5_000, lambda message: isinstance(message, int) and message > 1_234) == 1_235
    assert smallest(-5_000, lambda message: isinstance(message, int) and message < -1_234) == -1_235
    assert smallest([1, 2, 3], lambda message: isinstance(message, list) and len(message) == 2) == [0, 0]
    assert smallest(7.25, lambda message: isinstance(message, float) and message > 3) == 3.1


def test_messages_just_outside_are_refused_at_the_door() -> None:
    def quiet(payload: Any) -> None: ...

    module = handling(quiet, Order)
    (result,) = fuzz_refuse(module)
    assert result.tried > 100
    assert result.defects == []
    assert {"name": ""} in list(outside(module.handlers[0].schema))


def test_a_message_outside_that_is_let_in_is_found() -> None:
    """The schema stands beside a type that takes more, and the module does not enforce it."""
    module = Module("shop", enforcement="off")

    @module.handles("order", accepts={"type": "object", "properties": {"n": {"type": "integer", "maximum": 3}}})
    def order(payload: dict[str, int]) -> None: ...

    (result,) = fuzz_refuse(module)
    assert ("let in", "$.n", {"n": 4}) in [(defect.kind, defect.place, defect.message) for defect in result.defects]


PLANTED = '''
    """A module with three defects of different kinds."""
    from typing import Annotated
    import msgspec
    from claude_comm import Module

    class Item(msgspec.Struct):
        count: Annotated[int, msgspec.Meta(ge=0)]
        note: str = ""

    class Price(msgspec.Struct):
        price: Annotated[int, msgspec.Meta(le=1000)]

    class Missing(Exception):
        pass

    module = Module("shop")

    @module.handles("item")
    def item(item: Item) -> Price:
        100 / item.count
        if "\\n" in item.note:
            raise Missing("a line")
        return Price(item.count)
'''


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop.py").write_text(textwrap.dedent(PLANTED))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_reports_and_saves_tests_that_fail(shop: Path, run: Callable[..., Ran]) -> None:
    ran = run("fuzz", "shop.py:module", "--examples", 0, "--save", "found", "--json")
    assert ran.code == 1
    (result,) = json.loads(ran.out)["types"]
    assert [(defect["kind"], defect["message"]) for defect in result["defects"]] == [
        ("raised", {"count": 0}),
        ("reply", {"count": 1_001}),
        ("raised", {"count": 1, "note": "\n"}),
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "found"]
    tests = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False, env=child_environ())
    assert "3 failed" in tests.stdout
    again = run("fuzz", "shop.py:module", "--examples", 0, "--save", "found")
    assert "saved as tests in found/test_shop_fuzz.py" in again.out
    assert (shop / "found" / "test_shop_fuzz.py").read_text().count("def test_") == 3


def test_a_folder_that_is_a_file_is_said(shop: Path, run: Callable[..., Ran]) -> None:
    ran = run("fuzz", "shop.py:module", "--examples", 0, "--save", "shop.py")
    assert (ran.code, ran.err) == (1, "Error: shop.py/test_shop_fuzz.py cannot be written: File exists.\n")


def test_the_command_says_that_there_is_none(shop: Path, run: Callable[..., Ran]) -> None:
    text = (shop / "shop.py").read_text().replace("100 / item.count", "").replace("Price(item.count)", "Price(1)")
    (shop / "whole.py").write_text(text)
    ran = run("fuzz", "whole.py:module", "--examples", 5, "--allow", "Missing", "--type", "item")
    assert (ran.code, "no defect" in ran.out) == (0, True)
    assert run("fuzz", "whole.py:module", "--refuse").code == 0
    assert run("fuzz", "whole.py:module", "--allow", "Nonesuch").code == 2
    assert run("fuzz", "whole.py:module", "--answer", "oracle").code == 2
