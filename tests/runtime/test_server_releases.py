"""Whether the server that is started is behind a security release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claude_comm.__main__ import main
from claude_comm.runtime import private_server
from claude_comm.runtime.server_releases import SECURITY_RELEASES, ServerRelease, release_of
from claude_comm.transport.replies import OLDEST_SERVER


@pytest.mark.parametrize(
    ("program", "version", "says"),
    [
        ("valkey", "9.1.1", "behind the security release 9.1.2 (GHSA-fq2f-crmw-q97r): upgrade it."),
        ("valkey", "9.1.2", ""),
        ("valkey", "9.1.10", ""),
        ("valkey", "10.0.0", ""),
        ("redis", "8.2.1", "behind the security release 8.2.2 (CVE-2025-49844): upgrade it."),
        ("redis", "7.0.15", ""),
    ],
)
def test_a_version_is_held_to_its_series(program: str, version: str, says: str) -> None:
    assert ServerRelease(program, version).behind().endswith(says)
    assert bool(ServerRelease(program, version).behind()) is bool(says)


def test_the_release_that_is_embedded_is_not_behind() -> None:
    release = release_of(private_server.binary())
    assert release is not None
    assert release.behind() == ""


def test_every_security_release_is_of_its_series_and_may_be_used() -> None:
    for (_, series), (version, fix) in SECURITY_RELEASES.items():
        assert version.startswith(f"{series}.")
        assert tuple(int(part) for part in series.split(".")) >= OLDEST_SERVER
        assert fix


def test_what_is_no_server_has_no_release(tmp_path: Path) -> None:
    assert release_of(tmp_path / "nothing") is None
    assert release_of(Path("/bin/true")) is None


def test_version_warns_of_an_old_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "valkey-server"
    old.write_text("#!/bin/sh\necho 'Valkey server v=9.1.0 sha=0:0 malloc=libc bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setattr(private_server, "binary", lambda: old)
    assert main(["version"]) == 0
    assert "Warning: valkey 9.1.0 is behind" in capsys.readouterr().err
    assert main(["version", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["server"] == "valkey 9.1.0"
    assert "9.1.2" in facts["behind"]
