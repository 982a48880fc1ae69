"""Our names are those of the package of the conventions, which keeps messaging in a private folder."""

from __future__ import annotations

import opentelemetry.semconv._incubating.attributes.messaging_attributes as messaging
import opentelemetry.semconv._incubating.metrics.messaging_metrics as metrics
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas

from claude_comm.telemetry import conventions as names
from claude_comm.telemetry.metrics import METRICS, OPERATION_BOUNDS

ATTRIBUTES = {
    names.SYSTEM: messaging.MESSAGING_SYSTEM,
    names.OPERATION_NAME: messaging.MESSAGING_OPERATION_NAME,
    names.OPERATION_TYPE: messaging.MESSAGING_OPERATION_TYPE,
    names.DESTINATION: messaging.MESSAGING_DESTINATION_NAME,
    names.GROUP: messaging.MESSAGING_CONSUMER_GROUP_NAME,
    names.CLIENT: messaging.MESSAGING_CLIENT_ID,
    names.MESSAGE_ID: messaging.MESSAGING_MESSAGE_ID,
    names.CONVERSATION: messaging.MESSAGING_MESSAGE_CONVERSATION_ID,
    names.BATCH_COUNT: messaging.MESSAGING_BATCH_MESSAGE_COUNT,
    names.ERROR_TYPE: error_attributes.ERROR_TYPE,
    names.OPERATION_DURATION: metrics.MESSAGING_CLIENT_OPERATION_DURATION,
    names.SENT_MESSAGES: metrics.MESSAGING_CLIENT_SENT_MESSAGES,
    names.CONSUMED_MESSAGES: metrics.MESSAGING_CLIENT_CONSUMED_MESSAGES,
    names.PROCESS_DURATION: metrics.MESSAGING_PROCESS_DURATION,
}


def test_each_name_is_that_of_the_package() -> None:
    for ours, theirs in ATTRIBUTES.items():
        assert ours == theirs


def test_no_name_of_theirs_is_missing_above() -> None:
    ours = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    assert {name for name in ours if name.startswith(("messaging.", "error."))} == set(ATTRIBUTES)


def test_the_types_of_operations_and_the_schema_are_theirs() -> None:
    types = {kind.value for kind in messaging.MessagingOperationTypeValues}
    assert set(names.TYPES.values()) <= types
    # The package may not list the newest version yet; what it lists is of the same form.
    assert all(str(schema.value).rpartition("/")[0] == names.SCHEMA_URL.rpartition("/")[0] for schema in Schemas)


def test_the_name_of_a_span_is_operation_and_destination() -> None:
    assert names.span_name(names.SEND, "topic:orders") == "send topic:orders"


def test_metrics_of_theirs_have_their_units_and_bounds() -> None:
    by_name = {metric.name: metric for metric in METRICS if metric.name.startswith("messaging.")}
    assert {name: metric.unit for name, metric in by_name.items()} == {
        names.OPERATION_DURATION: "s",
        names.SENT_MESSAGES: "{message}",
        names.CONSUMED_MESSAGES: "{message}",
        names.PROCESS_DURATION: "s",
    }
    assert OPERATION_BOUNDS[0] == 0.005
    assert len(OPERATION_BOUNDS) == 14


def test_no_metric_has_a_label_of_many_values() -> None:
    many = {
        names.MESSAGE_ID,
        names.SESSION,
        names.CONVERSATION,
        names.CLIENT,
        "session",
        "id",
        "reason",
    }
    for metric in METRICS:
        assert not many & set(metric.labels), metric.name
    assert len({metric.exported for metric in METRICS}) == len(METRICS)
