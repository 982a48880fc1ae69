"""The users that a deployment needs, and which kind of server is spoken to."""

from __future__ import annotations

from claude_comm.names import Keys
from claude_comm.security.access import file_users, server_of


def test_whoever_gives_no_password_may_ask_whether_the_server_answers_and_nothing_else() -> None:
    users = file_users(Keys("n"), ["billing"], "valkey9")
    assert users["default"][-2:] == ["-@all", "+ping"]
    assert "allkeys" in users["admin"]
    assert "billing" in users
    assert not any(word in users["billing"] for word in ("allkeys", "+@all"))


def test_a_server_is_known_by_what_it_says_of_itself() -> None:
    assert server_of(b"redis_version:7.2.4\r\nvalkey_version:9.1.0\r\n") == "valkey9"
    assert server_of(b"# Server\r\nredis_version:7.0.15\r\n") == "redis7"
    assert server_of(b"redis_version:8.2.1\r\n") == "redis8"
