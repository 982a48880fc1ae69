"""`claude-comm gateway`: what it refuses before it listens."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.gateway import serving
from claude_comm.gateway.core.options import GatewaySettings, amended
from claude_comm.settings import Settings


@pytest.fixture(autouse=True)
def own_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command looks for its server before it looks at what it is asked: not for that of whoever runs the tests."""
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "say --public if that is meant"),
        (("--host", "::"), "say --public if that is meant"),
        (("--public", "--anonymous"), "--public without tokens is refused"),
        (("--origin", "team.example"), "is no origin"),
        (("--origin", "http://["), "is no origin"),
        (("--grant", "web=everything"), "is no scope"),
    ],
)
def test_what_would_open_it_to_others_is_refused_before_it_listens(
    run: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    def listened(*_: object) -> None:
        raise AssertionError("it listens")

    monkeypatch.setattr(serving, "listen", listened)
    ran = run("gateway", *arguments)
    assert ran.code != 0
    assert words in ran.err


def test_a_public_gateway_without_tokens_is_refused_by_the_command(run: Any) -> None:
    ran = run("gateway", "--public", "--host", "127.0.0.1", "--port", "0")
    assert ran.code != 0
    assert "--public without tokens is refused" in ran.err


def test_changed_settings_are_checked_whatever_replace_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """msgspec before 0.21 replaces fields without `__post_init__`."""

    def unchecked(struct: Any, **changes: Any) -> Any:
        made = struct.__copy__()
        for name, value in changes.items():
            msgspec.structs.force_setattr(made, name, value)
        return made

    monkeypatch.setattr(msgspec.structs, "replace", unchecked)
    for changes in ({"host": "0.0.0.0"}, {"public": True, "anonymous": True}, {"port": 70_000}):
        with pytest.raises(ConfigurationError):
            amended(GatewaySettings(), **changes)
    assert amended(GatewaySettings(port=1), host="0.0.0.0", public=True) == GatewaySettings(
        host="0.0.0.0", port=1, public=True
    )
