"""Contracts that are awkward to write in another format, and the tools of others that judge what came out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_comm.interchange.asyncapi import ReleaseEntry
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.registry.releases import release_of

# Recursive, with an address, an anchor, definitions whose names a pointer escapes, data that looks like a reference.
TREE: dict[str, Any] = {
    "$id": "https://shapes.example/tree",
    "type": "object",
    "required": ["tag"],
    "properties": {
        "kids": {"type": "array", "items": {"$ref": "#"}},
        "tag": {"$ref": "#/$defs/a~1b%20%C3%A9"},
        "odd": {"$ref": "#odd"},
        "$ref": {"type": "integer"},
    },
    "$defs": {
        "a/b é": {"type": "string", "examples": [{"$ref": "an example"}]},
        "odd": {"$anchor": "odd", "enum": [{"$ref": "no reference"}, [{"$ref": "nor this"}], 3]},
    },
}
DRAFT_7: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"$ref": "#/definitions/n"}},
    "definitions": {"n": {"type": ["integer", "null"]}},
}


def awkward(version: str = "1.0.0+build.7", tag: str = "string") -> Contract:
    """A contract with odd names, topics, replies, boolean schemas and two dialects."""
    tree = {**TREE, "$defs": {**TREE["$defs"], "a/b é": {"type": tag}}}
    return contract(
        "A-b.c",
        version=version,
        accepts={
            "tree": tree,
            "x.y": True,
            "x": DRAFT_7,
            "x-y_": {"type": "object", "properties": {"x": {"$id": "urn:x", **DRAFT_7}}},
        },
        replies={"tree": {"type": "object", "properties": {"ok": {"type": "boolean"}}}},
        produces=[
            Produced("done", {"type": "integer"}, "topic:news"),
            Produced("any", {"enum": ["a", "b"]}),
            Produced("tree", tree, "_other"),
        ],
        topics=["news", "a.b-c"],
        aliases={"x": {"a": ["b"]}},
    )


def published(*contracts: Contract) -> list[ReleaseEntry]:
    """The contracts as live releases, of which the first is offered."""
    return [ReleaseEntry(release_of(declared), declared, at == 0) for at, declared in enumerate(contracts)]


def npm(directory: Path, package: str) -> Path:
    """The folder of this npm package, installed below a directory; skips where that is not possible."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip(f"npm is not there, from which {package} comes")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory), package],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install {package}: {done.stderr.strip()[-200:]}")
    return directory / "node_modules" / package


def pip(directory: Path, package: str) -> Path:
    """A folder to import from, with this package and what it needs; skips where that is not possible."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(directory), package],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pip cannot install {package}: {done.stderr.strip()[-200:]}")
    return directory
