"""The metrics of a process: each one of the table is seen, through OpenTelemetry and in Prometheus."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from claude_comm import ConfigurationError, Module, Publisher, RetryPolicy, Settings
from claude_comm.settings import load
from claude_comm.telemetry.metrics import METRICS
from claude_comm.transport.driver import Client
from tests.support.modules import running
from tests.support.spans import metering
from tests.support.streams import dead
from tests.support.waiting import wait_until

PROCESS = {metric.name: metric for metric in METRICS if metric.scope == "process"}


def traffic(settings: Settings, client: Client) -> None:
    """One message that is handled, one that fails and is buried, and one whose sending fails."""
    from claude_comm.names import Keys

    made = Module("marker", settings=settings, retry=RetryPolicy(attempts=1))

    @made.handles("page")
    def mark(page: int) -> None:
        if page == 0:
            raise LookupError("no such page")

    with Publisher("reader", settings=settings) as publisher, running(made):
        publisher.publish_many("marker", [1, 2], type="page")
        with pytest.raises(Exception, match="cannot be"):
            publisher.publish("marker", object(), type="page")
        publisher.publish("marker", 0, type="page")
        wait_until(lambda: len(dead(client, Keys(settings.namespace), "marker")) == 1)


def test_each_metric_of_the_table_is_seen_through_opentelemetry(settings: Settings, client: Client) -> None:
    with metering() as reader:
        traffic(settings, client)
        data = reader.get_metrics_data()
    assert data is not None
    seen: dict[str, list[Any]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        declared = PROCESS[metric.name]
        assert (metric.unit, metric.description) == (declared.unit, declared.meaning)
        seen[metric.name] = list(metric.data.data_points)
    assert seen.keys() == PROCESS.keys()
    for name, points in seen.items():
        for point in points:
            assert set(point.attributes) <= set(PROCESS[name].labels)
    sent = {point.attributes.get("error.type", ""): point.value for point in seen["messaging.client.sent.messages"]}
    assert sent == {"": 3, "claude_comm.errors.EncodeError": 1}
    consumed = {p.attributes.get("error.type", ""): p.value for p in seen["messaging.client.consumed.messages"]}
    assert consumed == {"": 2, "LookupError": 1}
    operations = {p.attributes["messaging.operation.name"] for p in seen["messaging.client.operation.duration"]}
    assert operations == {"send", "ack", "bury"}
    (durations, _) = seen["messaging.process.duration"]
    assert tuple(durations.explicit_bounds) == PROCESS["messaging.process.duration"].bounds


def test_each_metric_of_the_table_is_seen_in_prometheus(settings: Settings, client: Client) -> None:
    from prometheus_client import REGISTRY

    traffic(msgspec.structs.replace(settings, metrics="prometheus"), client)
    samples = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    assert {name for metric in PROCESS.values() for name in metric.series} <= samples
    labels = {
        "messaging_system": "claude_comm",
        "messaging_operation_name": "process",
        "messaging_destination_name": "marker",
        "messaging_consumer_group_name": "marker",
        "error_type": "LookupError",
    }
    assert REGISTRY.get_sample_value("messaging_client_consumed_messages_total", labels) == 1


def test_a_module_serves_them_where_the_setting_says(environ: dict[str, str]) -> None:
    code = """
import socket, threading, urllib.request
from claude_comm import Module
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
import os
os.environ["CLAUDE_COMM_METRICS"] = f"prometheus:{port}"
module = Module("marker")
@module.on_start
def look(context):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    print("messaging_process_duration_seconds" in text)
    context.stop()
module.run()
"""
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_settings_that_mean_nothing_are_refused(settings: Settings) -> None:
    for name, value in (("metrics", "prometheus:x"), ("metrics", "statsd"), ("tracing", "on")):
        with pytest.raises(ConfigurationError, match=name):
            load({f"CLAUDE_COMM_{name.upper()}": value}, None, settings.home)
