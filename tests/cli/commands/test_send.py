"""`send`: what is sent is said, what cannot be accepted is not sent, and nothing local makes a script send twice."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from claude_comm import ModuleCommunicator
from claude_comm.settings import Settings

ORDER = {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}, "required": ["price"]}


@pytest.fixture(autouse=True)
def here(settings: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def till(settings: Settings) -> None:
    with ModuleCommunicator("till", settings=settings) as communicator:
        communicator.register(accepts={"order": ORDER})


def test_a_message_that_is_sent_exits_with_0_whatever_the_local_database_says(run: Any, settings: Settings) -> None:
    settings.database.write_bytes(b"somebody else's file " * 100)
    sent = run("send", "a", "b", "1")
    assert sent.code == 0
    assert len(sent.out.strip()) == 36
    assert "sent; its number is not known" in sent.err
    assert run("send", "a", "b", "1", "--json").json["number"] is None
    settings.database.unlink()
    assert [row["data"] for row in run("list", "--json").json] == [1, 1]


@pytest.mark.usefixtures("till")
def test_a_message_is_held_to_the_contract_of_its_target(run: Any) -> None:
    refused = run("send", "shop", "till", '{"price": -1}', "--type", "order")
    assert (refused.code, refused.out) == (1, "")
    assert "$.price" in refused.err
    assert "--unchecked" in refused.err
    other = run("send", "shop", "till", "1", "--type", "odrer")
    assert other.code == 1
    assert "it accepts 'order'" in other.err
    assert run("list", "--json").json == []
    assert run("send", "shop", "till", '{"price": -1}', "--type", "order", "--unchecked").code == 0
    assert run("send", "shop", "till", '{"price": 1}', "--type", "order").code == 0


@pytest.mark.usefixtures("till")
def test_a_target_that_nobody_has_is_named_with_the_one_that_may_be_meant(run: Any) -> None:
    sent = run("send", "shop", "tell", "1")
    assert sent.code == 0
    assert "no module is registered as 'tell'. Did you mean 'till'?" in sent.err


@pytest.mark.parametrize("text", ["{broken", "[1, 2", '"open', '{"a": NaN}', "[" * 5_000])
def test_text_that_begins_like_json_and_is_not_is_refused(run: Any, text: str) -> None:
    refused = run("send", "a", "b", text)
    assert (refused.code, refused.out) == (2, "")
    assert "begins like JSON and is not" in refused.err


def test_a_server_that_the_working_folder_names_is_named(
    run: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "claude-comm.toml").write_text(f"url = {json.dumps(settings.url)}\n")
    monkeypatch.chdir(folder)
    assert "sent to" not in run("send", "a", "b", "1").err
    monkeypatch.delenv("CLAUDE_COMM_URL")
    assert f"sent to {settings.url}, the server that {folder}" in run("send", "a", "b", "1").err


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user, which root alone may")
def test_a_file_of_another_user_does_not_decide_where_messages_go(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one that anybody may write to."""
    file = tmp_path / "claude-comm.toml"
    file.write_text('url = "redis://elsewhere:6379"\n')
    monkeypatch.chdir(tmp_path)
    file.chmod(0o666)
    assert run("send", "a", "b", "1").code == 0  # the environment names the server
    monkeypatch.delenv("CLAUDE_COMM_URL")
    for change in (lambda: None, lambda: (file.chmod(0o600), os.chown(file, 12345, -1))):
        change()
        refused = run("send", "a", "b", "1")
        assert refused.code == 2
        assert "names url, but another user owns it or may write to it" in refused.err
