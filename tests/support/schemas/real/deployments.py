"""Projects, workflows and servers: names by pattern, short and long forms of one thing, conditions."""

from __future__ import annotations

from tests.support.schemas.real.words import (
    DURATION,
    HOST,
    SLUG,
    Schema,
    array,
    document,
    either,
    flag,
    listed,
    maps,
    matching,
    one,
    open_list,
    record,
    ref,
    text,
    whole,
)


def container_project() -> Schema:
    service: Schema = {
        "image": text(),
        "build": either(text(), ref("build")),
        "command": ref("command"),
        "entrypoint": ref("command"),
        "environment": ref("list_or_map"),
        "labels": ref("list_or_map"),
        "ports": array(either(whole(), matching(r"^[0-9:/a-z.-]+$"), ref("port")), uniqueItems=True),
        "volumes": array(either(text(), ref("mount")), uniqueItems=True),
        "depends_on": either(array(text(), uniqueItems=True), maps(ref("condition"), r"^[a-zA-Z0-9._-]+$")),
        "healthcheck": ref("health"),
        "restart": matching(r"^(no|always|unless-stopped|on-failure(:\d+)?)$"),
        "networks": either(array(text()), maps(either(record({"aliases": array(text())}), {"type": "null"}))),
        "deploy": either(ref("deploy"), {"type": "null"}),
        "privileged": {"type": ["boolean", "string"]},
        "ulimits": maps(either(whole(), record({"hard": whole(), "soft": whole()}, "hard", "soft", closed=True))),
        "sysctls": ref("list_or_map"),
        "stop_grace_period": matching(DURATION),
        "scale": whole(minimum=0),
    }
    any_name = r"^[a-zA-Z0-9._-]+$"
    return document(
        {
            **record(
                {
                    "version": text(),
                    "name": matching(r"^[a-z0-9][a-z0-9_-]*$"),
                    "services": maps(ref("service"), any_name),
                    "networks": maps(either(ref("network"), {"type": "null"}), any_name),
                    "volumes": maps(either(record({"driver": text(), "external": flag()}), {"type": "null"}), any_name),
                    "secrets": maps(record({"file": text(), "environment": text()}), any_name),
                },
                closed=True,
            ),
            "patternProperties": {"^x-": {}},
        },
        {
            "service": {**record(service, closed=True), "patternProperties": {"^x-": {}}},
            "build": {
                **record(
                    {"context": text(), "dockerfile": text(), "args": ref("list_or_map"), "target": text()}, closed=True
                ),
                "patternProperties": {"^x-": {}},
            },
            "command": either({"type": "null"}, text(), array(text())),
            "list_or_map": one(
                maps({"type": ["string", "number", "boolean", "null"]}, ".+"), array(text(), uniqueItems=True)
            ),
            "port": record(
                {
                    "target": {"type": ["integer", "string"]},
                    "published": {"type": ["integer", "string"]},
                    "protocol": text(),
                    "mode": text(),
                },
                closed=True,
            ),
            "mount": record(
                {"type": text(), "source": text(), "target": text(), "read_only": flag()}, "type", closed=True
            ),
            "condition": record({"condition": listed("started", "healthy", "completed")}, "condition", closed=True),
            "health": record(
                {
                    "test": either(text(), array(text())),
                    "interval": matching(DURATION),
                    "retries": {"type": ["number", "string"]},
                    "disable": flag(),
                },
                closed=True,
            ),
            "deploy": record(
                {"replicas": whole(), "resources": record({"limits": ref("resource"), "reservations": ref("resource")})}
            ),
            "resource": record(
                {"cpus": {"type": ["number", "string"]}, "memory": text(), "pids": whole()}, closed=True
            ),
            "network": record(
                {
                    "driver": text(),
                    "driver_opts": maps({"type": ["string", "number"]}, "^.+$"),
                    "internal": flag(),
                    "labels": ref("list_or_map"),
                }
            ),
        },
        "container project",
    )


def workflow() -> Schema:
    step = {
        **record(
            {
                "id": text(),
                "name": text(),
                "if": {"type": ["boolean", "number", "string"]},
                "uses": text(),
                "run": text(),
                "with": ref("env"),
                "env": ref("env"),
                "shell": open_list("bash", "sh", "python", "pwsh"),
                "timeout": either(whole(minimum=1), ref("expression")),
            },
            closed=True,
        ),
        "oneOf": [{"required": ["uses"]}, {"required": ["run"]}],
        "dependentRequired": {"shell": ["run"], "with": ["uses"]},
    }
    job = record(
        {
            "name": text(),
            "needs": either(ref("name"), array(ref("name"), minItems=1)),
            "runs_on": either(text(), array(text(), minItems=1), record({"group": text(), "labels": text()})),
            "permissions": ref("permissions"),
            "env": ref("env"),
            "strategy": record(
                {
                    "matrix": either(
                        ref("expression"),
                        maps(either(array(True, minItems=1), ref("expression")), "^(in|ex)clude$|^[a-z]"),
                    ),
                    "fail_fast": {"type": ["boolean", "string"]},
                    "parallel": {"type": ["number", "string"]},
                },
                "matrix",
            ),
            "steps": array(ref("step"), minItems=1),
            "services": maps(
                record({"image": text(), "ports": array({"type": ["number", "string"]})}, "image", closed=True)
            ),
        },
        "runs_on",
        closed=True,
    )
    events = ("push", "pull", "release", "schedule", "dispatch", "issue", "page", "star", "fork", "deploy")
    reusable = record({"name": text(), "uses": matching(r"^.+\.ya?ml(@.+)?$"), "with": ref("env")}, "uses", closed=True)
    return document(
        record(
            {
                "name": text(),
                "on": either(
                    ref("event"),
                    array(ref("event"), minItems=1),
                    {
                        "type": "object",
                        "properties": {name: either(ref("filter"), {"type": "null"}) for name in events},
                        "additionalProperties": False,
                    },
                ),
                "env": ref("env"),
                "permissions": ref("permissions"),
                "concurrency": either(
                    text(), record({"group": text(), "cancel": {"type": ["boolean", "string"]}}, "group")
                ),
                "jobs": {**maps(one(ref("job"), ref("reusable")), "^[_a-zA-Z][a-zA-Z0-9_-]*$"), "minProperties": 1},
            },
            "on",
            "jobs",
            closed=True,
        ),
        {
            "event": listed(*events),
            "filter": record({"branches": ref("globs"), "tags": ref("globs"), "paths": ref("globs")}),
            "globs": array(text(), minItems=1),
            "name": matching("^[_a-zA-Z][a-zA-Z0-9_-]*$"),
            "expression": matching(r"^\$\{\{(.|[\r\n])*\}\}$"),
            "env": either(ref("expression"), maps({"type": ["string", "number", "boolean"]})),
            "permissions": either(
                listed("read-all", "write-all"),
                record(
                    {
                        name: listed("read", "write", "none")
                        for name in ("contents", "issues", "packages", "pages", "checks")
                    },
                    closed=True,
                ),
            ),
            "step": step,
            "job": job,
            "reusable": reusable,
        },
        "workflow",
    )


def server() -> Schema:
    return document(
        record(
            {
                "$schema": text(),
                "listen": ref("listen"),
                "upstreams": maps(ref("upstream"), SLUG),
                "routes": array(ref("route"), minItems=1),
                "logging": record({"level": listed("debug", "info", "warn", "error"), "file": text()}),
                "limits": record({"body": whole(minimum=0), "rate": {"type": "number", "exclusiveMinimum": 0}}),
            },
            "listen",
            "routes",
        ),
        {
            "listen": either(
                whole(minimum=1, maximum=65535),
                record(
                    {"host": matching(HOST, maxLength=253), "port": whole(minimum=1, maximum=65535), "tls": ref("tls")},
                    "port",
                ),
            ),
            "tls": {
                **record({"mode": listed("off", "files", "auto"), "cert": text(), "key": text()}, "mode"),
                "if": {"properties": {"mode": {"const": "files"}}},
                "then": {"required": ["cert", "key"]},
            },
            "upstream": record(
                {
                    "servers": array(matching(HOST), minItems=1, uniqueItems=True),
                    "balance": listed("round", "least", "hash"),
                    "timeout": matching(DURATION),
                },
                "servers",
            ),
            "route": record(
                {
                    "path": matching("^/"),
                    "methods": array(ref("method"), uniqueItems=True),
                    "to": text(),
                    "headers": maps(text()),
                    "routes": array(ref("route")),
                },
                "path",
            ),
            "method": listed("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        },
        "server settings",
    )


FAMILIES = [container_project, workflow, server]
