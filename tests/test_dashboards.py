"""The dashboard and the alert rules ask for metrics and labels that exist, and the dashboard shows each metric."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from claude_comm.telemetry.metrics import METRICS
from tests.support.homes import REPOSITORY

DASHBOARD = json.loads((REPOSITORY / "deploy/grafana/claude-comm.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((REPOSITORY / "deploy/prometheus/rules.yml").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
SERIES = {name: metric for metric in METRICS for name in metric.series}


def expressions() -> Iterator[tuple[str, str]]:
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def asked(expression: str) -> set[str]:
    """The series that an expression names: each name of the form of ours."""
    return set(re.findall(r"\b(?:claude_comm|messaging)_\w+(?=[\s{\[)]|$)", expression)) - labels_in(expression)


def labels_in(expression: str) -> set[str]:
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
    matched = re.findall(r"(\w+)(?:=~|!=|=)\"", expression)
    return {label.strip() for group in grouped for label in group.split(",")} | set(matched)


@pytest.mark.parametrize(("title", "expression"), list(expressions()))
def test_what_is_asked_for_exists(title: str, expression: str) -> None:
    series = asked(expression)
    assert series, f"{title} asks for nothing: {expression}"
    assert series <= SERIES.keys()
    labels = {label for name in series for label in SERIES[name].exported_labels} | {"le"}
    assert labels_in(expression) <= labels, title


def test_what_an_alert_or_a_legend_says_has_the_labels_that_it_names() -> None:
    texts = [(rule["expr"], f"{rule['annotations']}") for rule in ALERTS]
    texts += [(t["expr"], t["legendFormat"]) for panel in DASHBOARD["panels"] for t in panel["targets"]]
    for expression, text in texts:
        named = set(re.findall(r"\{\{\s*(?:\$labels\.)?([a-z_]\w*)", text))
        assert named <= {label for name in asked(expression) for label in SERIES[name].exported_labels}, text


def test_each_metric_is_on_the_dashboard() -> None:
    shown = {name for _, expression in list(expressions())[len(ALERTS) :] for name in asked(expression)}
    missing = {metric.name for metric in METRICS if not shown & set(metric.series)}
    assert missing == set()


def test_each_alert_says_what_to_do_and_panels_do_not_overlap() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "action"}
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & places
        assert max(x for x, _ in own) < 24
        places |= own


def test_a_name_that_does_not_exist_would_be_seen() -> None:
    assert not asked("rate(claude_comm_messages_totals[5m])") <= SERIES.keys()
    assert labels_in('sum by (module) (x{outcome="y"})') == {"module", "outcome"}
