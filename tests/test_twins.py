"""The blocking faces are what `tools/twins.py` makes of the asyncio ones."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.support.homes import REPOSITORY


def _twins() -> ModuleType:
    spec = importlib.util.spec_from_file_location("twins", REPOSITORY / "tools" / "twins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["twins"] = module
    spec.loader.exec_module(module)
    return module


if not (REPOSITORY / "claude_comm").is_dir():
    pytest.skip("the sources are not here: they are rewritten in place", allow_module_level=True)
twins = _twins()
SOURCE = """class AsyncThing:
    async def __aenter__(self): return await self.hold_async(AsyncOther)
    # asyncio only
    def begin(
        self,
    ):
        return 1

    async def wait(self): await asyncio.sleep(1)
"""


def test_the_blocking_faces_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert twins.main(["--check"]) == 0, capsys.readouterr().err


def test_an_edited_face_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    other = twins.TWINS[0]._replace(target=twins.TWINS[0].source)
    monkeypatch.setattr(twins, "TWINS", (other,))
    assert twins.main(["--check"]) == 1
    assert other.target in capsys.readouterr().err


def test_what_differs_by_rule_is_rewritten_and_what_is_for_asyncio_only_is_left_out() -> None:
    text = twins.blocking(twins.Twin("async_thing.py", "thing.py"), SOURCE)
    assert text.splitlines()[1:] == [
        "class Thing:",
        "    def __enter__(self):",
        "        return self.hold(Other)",
        "",
        "    def wait(self):",
        "        time.sleep(1)",
    ]


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ({"gone": "here"}, SOURCE),
        ({}, SOURCE + "    done = asyncio.Future\n"),
        ({}, SOURCE.replace("sleep(1)", "sleep(0)")),
    ],
)
def test_a_word_that_is_gone_and_what_has_no_blocking_form_are_errors(words: dict[str, str], source: str) -> None:
    with pytest.raises(ValueError, match=r"async_thing\.py"):
        twins.blocking(twins.Twin("async_thing.py", "thing.py", words), source)
