"""Settings: from the environment before the file, and refused by name where they are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.errors import ConfigurationError, UnknownSetting
from claude_comm.settings import load

HOME = Path("/tmp/nobody-writes-here")


def loaded(file_text: str | None = None, **environ: str) -> Settings:
    return load({f"CLAUDE_COMM_{name}": text for name, text in environ.items()} | {"PATH": "/bin"}, file_text, HOME)


def test_the_environment_goes_before_the_file_and_the_file_before_what_is_set_by_default() -> None:
    assert loaded().home == HOME
    text = "max_lag = 7\nnamespace = 'from-file'\n"
    settings = loaded(text, NAMESPACE="from-environment", MAX_LAG="")
    assert (settings.namespace, settings.max_lag) == ("from-environment", 7)


def test_a_setting_that_nobody_reads_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownSetting, match=r"environment: .*'CLAUDE_COMM_MAXLAG'.*CLAUDE_COMM_MAX_LAG"):
        loaded(MAXLAG="7")
    with pytest.raises(UnknownSetting, match=r"claude-comm.toml: .*'colour'"):
        loaded("colour = 'red'\n")


@pytest.mark.parametrize("text", ["max_lag = ", "= 7", "home = 7\n", "max_lag = 'many'\n"])
def test_a_file_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"claude-comm\.toml|settings"):
        loaded(text)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"log_level": "loud"}, "log_level: 'loud' is none of"),
        ({"signing": "maybe"}, "signing: 'maybe' is none of"),
        ({"tracing": "on"}, "tracing: 'on' is none of"),
        ({"metrics": "prometheus:x"}, "metrics: 'prometheus:x' is none of"),
        ({"telemetry": "a=loud"}, "nor MODULE=LEVEL"),
        ({"home": 7}, "home: 7 is not a folder's path"),
        ({"home": ""}, "is not a folder's path"),
        ({"max_lag": True}, "max_lag: True is not a whole number"),
        ({"max_lag": 1.5}, "max_lag: 1.5 is not a whole number"),
        ({"keep_s": "1"}, "keep_s: '1' is not a number"),
        ({"max_envelope_bytes": 1}, "max_envelope_bytes: from 1,024 to"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_what_would(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Settings(**{"home": HOME, **given})


def test_a_number_is_read_from_its_text_and_each_module_has_its_level() -> None:
    settings = loaded(MAX_LAG="9", KEEP_S="1.5", TELEMETRY="sampled, quiet=off")
    assert (settings.max_lag, settings.keep_s) == (9, 1.5)
    assert [settings.telemetry_of(name) for name in ("quiet", "other")] == ["off", "sampled"]
    assert loaded(TELEMETRY="quiet=off").telemetry_of("other") == "full"


def test_large_payloads_are_taken_out_only_where_all_who_read_them_share_a_store() -> None:
    private, named = loaded(), loaded(URL="redis://host")
    assert (private.takes_out_above, named.takes_out_above) == (private.blob_above, 0)
    assert loaded(URL="redis://host", BLOB_STORE="/shared").takes_out_above == private.blob_above


def test_jobs_run_on_one_server() -> None:
    assert loaded().runs_jobs
    assert not loaded(URL="redis+cluster://a").runs_jobs
    assert loaded(URL="redis+cluster://a", CONTROL_URL="redis://b").runs_jobs
    assert loaded().database == HOME / "claude-comm.db"
