"""Addresses of servers: which are refused, what is shown of them, and what is read from them."""

from __future__ import annotations

import pytest

from claude_comm.addresses import check_url, on_cluster, on_sentinel, parse_cluster, parse_sentinel, public
from claude_comm.errors import ConfigurationError

SECRET = "planted-secret-7"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://host:6379/0",
        "rediss://me:pw@host",
        "unix:///run/server.sock?db=3",
        "redis://host?db=",
        "redis+cluster://a:7000,b:7001",
        "redis+sentinel://a,b:26380/primary/2",
    ],
)
def test_an_address_of_a_server_is_taken(url: str) -> None:
    check_url("url", url)


@pytest.mark.parametrize(
    ("name", "url", "says"),
    [
        ("url", 7, "is not a server's address"),
        ("url", "http://host", "starts with one of"),
        ("url", "redis://host:port", "is not a server's address"),
        ("url", "redis://host/one", "a database is a number"),
        ("url", "unix:///run/s.sock?db=one", "a database is a number"),
        ("url", "redis+cluster://a:7000/1", "a cluster has no database but 0"),
        ("url", "redis+cluster://a:many", "is not a node's host:port"),
        ("url", "redis+cluster://a,,b", "is not a node's host:port"),
        ("control_url", "redis+cluster://a:7000", "jobs do not run on a cluster"),
        ("control_url", "http://host", "starts with one of"),
        ("url", "redis+sentinel://a:26379", "does not name the service"),
        ("url", "redis+sentinel://a/primary/two", "does not name the service"),
        ("url", "redis+sentinel://a:x/primary", "is not a node's host:port"),
    ],
)
def test_what_is_no_address_is_refused_with_the_form_of_one(name: str, url: object, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        check_url(name, url)


def test_a_cluster_is_not_offered_for_jobs() -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_url("control_url", "http://host")
    assert "redis+cluster" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"redis\+cluster"):
        check_url("url", "http://host")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("host:6379/0", "host:6379/0"),
        (f"me:{SECRET}@host", "..."),
        (f"redis://me:{SECRET}@host:1/0?x=1", "redis://host:1/0?x=1"),
        (f"redis://me:pw?{SECRET}@host", "redis://..."),
        (f"redis://me:{SECRET}/x@host:1", "redis://host:1"),
        (f"unix:///run/s.sock?username=me&PassWord={SECRET}&db=1", "unix:///run/s.sock?username=***&PassWord=***&db=1"),
        (f"redis://a?sentinel%5Fpassword={SECRET}", "redis://a?sentinel%5Fpassword=***"),
    ],
)
def test_no_password_is_left_in_what_is_shown(url: str, shown: str) -> None:
    assert public(url) == shown


def test_a_cluster_is_read_as_its_nodes_and_what_is_common_to_all() -> None:
    cluster = parse_cluster("rediss+cluster://me:pw@a:7000,b,[::1]:7002/0?ssl_cert_reqs=none")
    assert cluster.seeds == [("a", 7000), ("b", 6379), ("::1", 7002)]
    assert cluster.node("c:7003") == "rediss://me:pw@c:7003/0?ssl_cert_reqs=none"
    assert parse_cluster("redis+cluster://a").node("a:1") == "redis://a:1/0"
    assert parse_cluster("redis+cluster://[::1],[::2]:7?x=1").seeds == [("::1", 6379), ("::2", 7)]
    assert [on_cluster("redis+cluster://a"), on_cluster("redis://a")] == [True, False]


def test_sentinels_are_read_with_their_own_login_and_the_servers() -> None:
    named = parse_sentinel("redis+sentinel://me:pw@a,b:1/the%20one/2?sentinel_username=s&sentinel_password=p%40&x=1")
    assert (named.sentinels, named.service) == ([("a", 26379), ("b", 1)], "the one")
    assert named.sentinel("a", 26379) == "redis://s:p%40@a:26379/0?x=1"
    assert named.server("::1", 6379) == "redis://me:pw@[::1]:6379/2?x=1"
    assert parse_sentinel("redis+sentinel://a,[::1]:2/one").sentinels == [("a", 26379), ("::1", 2)]
    plain = parse_sentinel("redis+sentinel://a/primary")
    assert (plain.sentinel("a", 1), plain.server("b", 2)) == ("redis://a:1/0", "redis://b:2/0")
    assert [on_sentinel("redis+sentinel://a/b"), on_sentinel("redis://a")] == [True, False]
