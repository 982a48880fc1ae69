"""Settings stand in tracebacks and logs: what logs a user in is not in what they show."""

from __future__ import annotations

from pathlib import Path

from claude_comm import Settings

PASSWORD = "planted-secret-7"


def test_no_password_of_an_address_is_shown(tmp_path: Path) -> None:
    addresses = (
        f"redis://me:{PASSWORD}@host:6379/0",
        f"rediss://:{PASSWORD}@host",
        f"unix://me:{PASSWORD}@/run/s.sock",
    )
    for address in addresses:
        settings = Settings(
            home=tmp_path, url=address, control_url=address, blob_store=f"s3://key:{PASSWORD}@bucket/x", namespace="n"
        )
        for shown in (repr(settings), str(settings), f"{settings!r}"):
            assert PASSWORD not in shown
            assert "host" in shown or "s.sock" in shown
        assert settings.url == address
