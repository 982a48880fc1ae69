"""`claude-comm audit`: every entry is vouched for, or named; also of a file, where no server is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Publisher, Settings
from claude_comm.client import audits
from claude_comm.effects import Command
from claude_comm.envelope import Envelope, encode, pack
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.runtime import key_files
from claude_comm.security.keyring import KeyringRefused
from claude_comm.transport.driver import Client
from tests.support.signed_namespace import forge, signed


@pytest.fixture(autouse=True)
def _environ(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)
    monkeypatch.setenv("CLAUDE_COMM_NAMESPACE", settings.namespace)


def sent(settings: Settings, client: Client, keys: Keys) -> Settings:
    signing = signed(settings, client, services=())
    with Publisher("a", settings=signing) as publisher:
        publisher.publish_many("b", range(100))
    return signing


def test_what_is_signed_is_counted_and_what_is_not_is_named(settings: Settings, client: Client, keys: Keys) -> None:
    signing, inbox = sent(settings, client, keys), keys.inbox("b")
    (audit,) = audits.audit(client, signing, ["b"])
    assert (audit.stream, audit.entries, audit.signed, audit.doubts, audit.missing) == (inbox, 100, 100, {}, 0)
    entry = forge(client, inbox, encode(Envelope(id="x", source="a", target="b", time=1, data=pack(1))))
    broken = forge(client, inbox, b"\xff")
    first = client.data.one(Command(("XRANGE", inbox, "-", "+", "COUNT", 1)))[0][0]
    client.data.one(Command(("XDEL", inbox, first)))
    (audit,) = audits.audit(client, signing, ["b"])
    assert (audit.entries, audit.signed, audit.missing) == (101, 99, 1)
    assert {(doubt.entry, doubt.source) for doubt in audit.named} == {(entry, "a"), (broken, "")}


def test_a_saved_file_is_audited_without_a_server_and_a_changed_one_is_found(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    signing, file = sent(settings, client, keys), tmp_path / "saved.jsonl"
    assert audits.save(client, signing, file, ["b"]) == 100
    admin = key_files.public_text(key_files.load(key_files.path_of(settings.home, "admin")).public)
    elsewhere = Settings(home=tmp_path / "other", url="redis://127.0.0.1:1")
    (audit,) = audits.audit_file(file, elsewhere, admin)
    assert (audit.entries, audit.signed, audit.doubts) == (100, 100, {})
    lines = file.read_text().splitlines()
    entry = json.loads(lines[50])
    entry["id"] = "1-1"
    lines[50] = json.dumps(entry)
    changed = json.loads(lines[60])
    changed["fields"][0][1] = changed["fields"][1][1]
    lines[60] = json.dumps(changed)
    file.write_text("\n".join(lines) + "\n")
    (audit,) = audits.audit_file(file, elsewhere, admin)
    assert audit.signed == 98
    stranger = key_files.public_text(key_files.make_pair().public)
    with pytest.raises(KeyringRefused):
        audits.audit_file(file, elsewhere, stranger)
    file.write_text("{}")
    with pytest.raises(ConfigurationError, match="is no file of"):
        audits.audit_file(file, elsewhere, admin)


def test_the_command_ends_with_1_where_an_entry_is_doubtful(
    settings: Settings, client: Client, keys: Keys, run: Any, tmp_path: Path
) -> None:
    sent(settings, client, keys)
    ran = run("audit", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)[0]["signed"] == 100
    file = tmp_path / "saved"
    assert run("audit", "--save", str(file)).code == 0
    forge(client, keys.inbox("b"), encode(Envelope(id="x", source="a", target="b", time=1, data=pack(1))))
    ran = run("audit", "b")
    assert ran.code == 1
    assert "it has no signature." in ran.out
    assert run("audit", "--file", str(file)).code == 0
    assert run("audit", "nobody").code == 3


def test_who_knows_no_admin_is_told_what_to_give(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--admin KEY"):
        audits.audit_file(tmp_path / "saved.jsonl", settings)
