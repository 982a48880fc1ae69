"""Names, ids, settings and errors: the words that everything else is made of."""

from __future__ import annotations

import importlib
import pkgutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import claude_comm
from claude_comm import addresses, errors, settings
from claude_comm.errors import ClaudeCommError, ConfigurationError, InvalidName, UnknownModule, UnknownSetting
from claude_comm.ids import ENTROPY_BYTES, uuid7
from claude_comm.names import Keys, check_name, check_session, check_target


@pytest.mark.parametrize("name", ["a", "pdf-extractor", "_x", "0", "A.b_c-d", "x" * 64])
def test_a_name_of_the_allowed_form_is_itself(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a:b", "a{b}", "a\n", "é", "x" * 65, "a/b", None, 7])
def test_any_other_name_is_refused_with_what_is_allowed(name: object) -> None:
    with pytest.raises(InvalidName, match="1 to 64 letters"):
        check_name(name)


def test_a_target_is_a_module_or_a_topic() -> None:
    assert check_target("topic:prices") == "topic:prices"
    with pytest.raises(InvalidName):
        check_target("topic:")


def test_a_session_takes_any_text_but_control_characters() -> None:
    assert check_session("Nightly run № 7") == "Nightly run № 7"
    for bad in ("", "a\x1b[2J", "x" * 129, None):
        with pytest.raises(ConfigurationError):
            check_session(bad)


def test_all_keys_of_a_module_share_one_hash_tag() -> None:
    keys = Keys("ns")
    for key in (keys.inbox("m"), keys.dead("m"), keys.events("m")):
        assert key.startswith("ns:{m:m}:")
    assert keys.stream("topic:t") == "ns:{t:t}:topic"
    for key in (keys.streams, keys.modules, keys.instances, keys.workers, keys.agreements):
        assert key.startswith("ns:{registry}:")


@given(st.integers(0, 2**47), st.integers(0, 999), st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_an_id_is_a_uuid_of_version_7_that_carries_its_millisecond(millis: int, micros: int, entropy: bytes) -> None:
    made = uuid.UUID(uuid7(millis * 1000 + micros, entropy))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == millis


@given(st.lists(st.integers(0, 2**50), min_size=2, max_size=20, unique=True))
def test_ids_sort_as_their_microseconds_do(moments: list[int]) -> None:
    made = [uuid7(moment, b"\xff" * 8) for moment in sorted(moments)]
    assert made == sorted(made)


def test_the_environment_wins_over_the_file_and_the_file_over_defaults() -> None:
    file = 'namespace = "from-file"\nmax_envelope_bytes = 4096\n'
    found = settings.load({"CLAUDE_COMM_NAMESPACE": "from-env", "HOME": "/x"}, file, Path("/default"))
    assert (found.namespace, found.max_envelope_bytes, found.home) == ("from-env", 4096, Path("/default"))
    assert found.log_level == "info"


def test_a_setting_that_nobody_reads_is_refused_by_name_with_the_near_one() -> None:
    with pytest.raises(UnknownSetting, match=r"CLAUDE_COMM_URLS.*Did you mean 'CLAUDE_COMM_URL'"):
        settings.load({"CLAUDE_COMM_URLS": "x"}, None, Path("/d"))
    with pytest.raises(UnknownSetting, match="namespaces"):
        settings.load({}, "namespaces = 1", Path("/d"))


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"CLAUDE_COMM_URL": "http://x"}, r"redis\+cluster://"),
        ({"CLAUDE_COMM_URL": "redis+sentinel://x:26379"}, "does not name the service that the Sentinels watch"),
        ({"CLAUDE_COMM_URL": "redis+sentinel://x:26379/main/db"}, "does not name the service"),
        ({"CLAUDE_COMM_CONTROL_URL": "redis+sentinel://x:seven/main"}, "'x:seven'"),
        ({"CLAUDE_COMM_URL": "redis+cluster://x:1/3"}, "no database but 0"),
        ({"CLAUDE_COMM_URL": "redis+cluster://x:1?db=3"}, "no database but 0"),
        ({"CLAUDE_COMM_URL": "redis+cluster://x:1,,y:2"}, "host:port"),
        ({"CLAUDE_COMM_URL": "redis+cluster://me:secret@"}, r"redis\+cluster://'"),
        ({"CLAUDE_COMM_URL": "redis+cluster://x:seven"}, "'x:seven'"),
        ({"CLAUDE_COMM_CONTROL_URL": "redis+cluster://x:1"}, "jobs do not run on a cluster"),
        ({"CLAUDE_COMM_CONTROL_URL": "nonsense"}, "control_url"),
        ({"CLAUDE_COMM_URL": "redis://h:99999"}, "Port out of range"),
        ({"CLAUDE_COMM_URL": "redis://h:port"}, "url: 'redis://...' is not a server's address"),
        ({"CLAUDE_COMM_URL": "redis://[::1"}, "is not a server's address"),
        ({"CLAUDE_COMM_URL": "redis://h/orders"}, "names the database 'orders'; a database is a number"),
        ({"CLAUDE_COMM_URL": "unix:///run/x.sock?db=one"}, "names the database 'one'"),
        ({"CLAUDE_COMM_NAMESPACE": "a b"}, "namespace"),
        ({"CLAUDE_COMM_MAX_ENVELOPE_BYTES": "12"}, "max_envelope_bytes: from 1,024"),
        ({"CLAUDE_COMM_MAX_ENVELOPE_BYTES": "many"}, "max_envelope_bytes"),
        ({"CLAUDE_COMM_LOG_LEVEL": "loud"}, "log_level"),
        ({"CLAUDE_COMM_MAX_LAG": "-1"}, "max_lag: from 0"),
        ({"CLAUDE_COMM_KEEP_S": "nan"}, "keep_s: from 0"),
        ({"CLAUDE_COMM_KEEP_ENTRIES": "-5"}, "keep_entries"),
        ({"CLAUDE_COMM_PROJECTION_WAIT_S": "100000"}, "projection_wait_s: from 1 to 86,400"),
    ],
)
def test_a_setting_with_an_unusable_value_says_what_it_takes(environ: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        settings.load(environ, None, Path("/d"))


@pytest.mark.parametrize(
    ("url", "seeds", "node"),
    [
        ("redis+cluster://a:1,b:2", [("a", 1), ("b", 2)], "redis://N/0"),
        ("redis+cluster://a", [("a", 6379)], "redis://N/0"),
        ("redis+cluster://[::1]:7,[fe80::1]:8/0", [("::1", 7), ("fe80::1", 8)], "redis://N/0"),
        ("rediss+cluster://me:p,w%40@a:1,b:2/?ssl_ca_certs=x.pem", [("a", 1), ("b", 2)],
         "rediss://me:p,w%40@N/0?ssl_ca_certs=x.pem"),
    ],
)  # fmt: skip
def test_a_cluster_is_named_by_some_of_its_nodes(url: str, seeds: list[tuple[str, int]], node: str) -> None:
    assert settings.load({"CLAUDE_COMM_URL": url}, None, Path("/d")).url == url
    found = addresses.parse_cluster(url)
    assert (found.seeds, found.node("N")) == (seeds, node)


def test_sentinels_and_the_servers_that_they_name_have_logins_of_their_own() -> None:
    url = "rediss+sentinel://me:a%40b@one,two:7/main/3?ssl_ca_certs=x&sentinel_password=s%2Ft"
    found = addresses.parse_sentinel(url)
    assert (found.service, found.sentinels) == ("main", [("one", 26379), ("two", 7)])
    assert found.server("10.0.0.1", 6380) == "rediss://me:a%40b@10.0.0.1:6380/3?ssl_ca_certs=x"
    assert found.sentinel("::1", 7) == "rediss://:s%2Ft@[::1]:7/0?ssl_ca_certs=x"
    assert addresses.public(url) == "rediss+sentinel://one,two:7/main/3?ssl_ca_certs=x&sentinel_password=***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:secret@h:1/0", "redis://h:1/0"),
        ("redis://h:6379/0?password=secret&ssl=1", "redis://h:6379/0?password=***&ssl=1"),
        ("redis://h?pass%77ord=secret", "redis://h?pass%77ord=***"),
        ("redis://h?password=sec@ret", "redis://..."),
        ("redis://:a?secret@h:1", "redis://..."),
        ("redis://:sec/ret@h:1", "redis://h:1"),
        ("redis://:secret", "redis://..."),
        ("redis:secret@h", "..."),
        ("redis//:secret@h", "..."),
        ("localhost:6379", "localhost:6379"),
        ("redis+cluster://u:secret@a:1,b:2", "redis+cluster://a:1,b:2"),
        ("unix:///run/x.sock?password=secret&db=1", "unix:///run/x.sock?password=***&db=1"),
    ],
)
def test_an_address_is_shown_without_its_password_however_it_is_written(url: str, shown: str) -> None:
    assert addresses.public(url) == shown
    with pytest.raises(ConfigurationError) as refused:
        settings.load({"CLAUDE_COMM_URL": url, "CLAUDE_COMM_KEEP_S": "x"}, None, Path("/d"))
    assert "secret" not in str(refused.value)
    assert "ret@" not in str(refused.value)


def test_only_a_cluster_without_a_control_server_has_no_jobs() -> None:
    def runs_jobs(**environ: str) -> bool:
        return settings.load(
            {f"CLAUDE_COMM_{name}": value for name, value in environ.items()}, None, Path("/d")
        ).runs_jobs

    assert runs_jobs()
    assert runs_jobs(URL="redis://a")
    assert not runs_jobs(URL="redis+cluster://a")
    assert runs_jobs(URL="redis+cluster://a", CONTROL_URL="redis://b")


def test_a_settings_file_that_is_not_toml_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="not TOML"):
        settings.load({}, "= =", Path("/d"))


def test_every_setting_is_documented_in_the_modules_table() -> None:
    for field in settings.Settings.__struct_fields__:
        assert f"`{field}`" in (settings.__doc__ or "")


def test_an_unknown_module_is_told_with_the_near_name() -> None:
    assert "Did you mean 'extractor'" in str(UnknownModule("extracter", ["extractor"]))
    assert "claude-comm modules" in str(UnknownModule("zzz", ["extractor"]))


def test_the_tree_of_errors_names_every_error_of_the_package() -> None:
    for module in pkgutil.walk_packages(claude_comm.__path__, "claude_comm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    drawn = (errors.__doc__ or "").splitlines()
    for kind in _descendants(ClaudeCommError):
        if kind.__module__ == "claude_comm.errors":
            line = next(line for line in drawn if line.split("── ")[-1].split(" ")[0] == kind.__name__)
            depth = line.index("── ") // 4
            assert depth == len(kind.__mro__) - len(ClaudeCommError.__mro__), line
            assert f"exit {kind.exit_code}" in line or depth > 1, line
        elif kind.__module__.startswith("claude_comm."):
            file = kind.__module__.removeprefix("claude_comm.")
            assert any(line.split()[:2] == [kind.__name__, file] for line in drawn), kind


def _descendants(kind: type[ClaudeCommError]) -> Iterator[type[ClaudeCommError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
