"""The metrics of a namespace: each one of the table is seen, with the value that the run has made."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from claude_comm import Module, Publisher, RetryPolicy, Settings
from claude_comm.client.identity import identify
from claude_comm.client.measures import measure
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.progress.events import Duplicates, Lost, Settled
from claude_comm.telemetry.exposition import exposition
from claude_comm.telemetry.metrics import METRICS, Distribution
from claude_comm.transport.driver import Client
from tests.support.command_line import Ran
from tests.support.modules import running
from tests.support.streams import dead, project
from tests.support.waiting import wait_until

NAMESPACE = {metric for metric in METRICS if metric.scope == "namespace"}


@pytest.fixture
def busy(settings: Settings, client: Client, keys: Keys) -> Settings:
    """A namespace in which something waits, was handled, failed, is delayed, was lost and was skipped."""
    module = Module("marker", settings=settings, topics=["orders"], retry=RetryPolicy(attempts=1))

    @module.handles("page")
    def mark(page: int) -> None:
        if page == 0:
            raise ValueError("nothing")

    with Publisher("reader", settings=settings) as publisher:
        with running(module):
            publisher.publish_many("marker", [1, 2, 0], type="page")
            publisher.publish("topic:orders", 4, type="page")
            wait_until(lambda: len(dead(client, keys, "marker")) == 1)
        publisher.publish("marker", 5, type="page", delay_s=600)
        publisher.publish_many("marker", [6, 7], type="page")
    marker = identify("marker", settings)
    for event in (Lost(keys.inbox("marker"), ["1-1"]), Duplicates([Settled("reader", "x", 0, 0, 1)])):
        client.data.one(Command(("XADD", keys.events("marker"), "*", "e", marker.event(event))))
    client.control.one(Command(("HSET", keys.dropped, "marker", 3)))
    project(settings, client, keys)
    return settings


def test_each_metric_of_the_table_is_seen_with_its_value(busy: Settings, client: Client) -> None:
    samples = measure(client, busy)
    assert {sample.metric for sample in samples} == NAMESPACE
    values = {(sample.metric.name, *sample.labels): sample.value for sample in samples}
    expected = {
        ("claude_comm.module.instances", "marker"): 0,
        ("claude_comm.worker.instances", "progress"): 0,
        ("claude_comm.group.lag", "marker", "marker"): 2,
        ("claude_comm.group.pending", "marker", "marker"): 0,
        ("claude_comm.delayed.messages", "marker"): 1,
        ("claude_comm.dead.messages", "marker"): 1,
        ("claude_comm.dead.dropped", "marker"): 3,
        ("claude_comm.stream.unprojected", "marker"): 0,
        ("claude_comm.messages", "reader", "marker"): 5,
        ("claude_comm.messages", "reader", "topic:orders"): 1,
        ("claude_comm.deliveries", "reader", "marker", "handled"): 3,
        ("claude_comm.deliveries", "reader", "marker", "buried"): 1,
        ("claude_comm.deliveries.lost", "marker"): 1,
        ("claude_comm.deliveries.duplicate", "marker"): 1,
    }
    assert {key: values.get(key) for key in expected} == expected
    latency = values["claude_comm.delivery.latency", "reader", "marker"]
    assert isinstance(latency, Distribution)
    assert sum(latency.counts) == 3
    assert latency.sum > 0
    for sample in samples:
        assert len(sample.labels) == len(sample.metric.labels)


def test_a_module_that_lives_has_an_instance(settings: Settings, client: Client) -> None:
    with running(Module("marker", settings=settings)):
        wait_until(lambda: instances(client, settings) == {"marker": 1})


def instances(client: Client, settings: Settings) -> dict[str, object]:
    samples = measure(client, settings)
    return {
        sample.labels[0]: sample.value for sample in samples if sample.metric.name == "claude_comm.module.instances"
    }


def test_a_namespace_without_a_projection_has_no_metrics_of_one(settings: Settings, client: Client) -> None:
    named = {sample.metric.name for sample in measure(client, settings)}
    assert "claude_comm.worker.instances" in named
    assert not {"claude_comm.messages", "claude_comm.deliveries"} & named


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_what_is_exported_is_read_back_by_a_parser_of_prometheus(busy: Settings, client: Client, accept: str) -> None:
    text, content_type = exposition(measure(client, busy), accept)
    if accept:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as families_of

        assert "openmetrics" in content_type
    else:
        families_of = text_string_to_metric_families
    families = list(families_of(text.decode()))
    seen = {sample.name for family in families for sample in family.samples}
    assert seen == {name for metric in NAMESPACE for name in metric.series}
    kinds = {family.name: family.type for family in families}
    assert kinds == {metric.exported: metric.kind for metric in NAMESPACE}
    buckets = [
        s for family in families for s in family.samples if s.name == "claude_comm_delivery_latency_seconds_bucket"
    ]
    assert buckets[-1].labels["le"] == "+Inf"
    assert buckets[-1].value == 3
    assert [bucket.value for bucket in buckets] == sorted(bucket.value for bucket in buckets)


def test_the_command_writes_them(
    busy: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    text = run("metrics")
    assert text.code == 0
    assert 'claude_comm_group_lag{destination="marker",module="marker"} 2.0' in text.out
    rows = json.loads(run("metrics", "--json").out)
    (lag,) = [
        row for row in rows if row["name"] == "claude_comm.group.lag" and row["labels"]["destination"] == "marker"
    ]
    assert lag["value"] == 2
    assert lag["unit"] == "{message}"
    (latency,) = [row for row in rows if row["name"] == "claude_comm.delivery.latency"]
    assert len(latency["counts"]) == len(latency["bounds"]) + 1
