"""constraints.txt pins what every Python that the project supports can install, also the oldest release of it."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.support.homes import REPOSITORY

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^;\s]+)")

if not (REPOSITORY / "constraints.txt").is_file():
    pytest.skip("the constraints are not here: they are the repository's", allow_module_level=True)


def test_what_is_pinned_is_for_the_oldest_python_too() -> None:
    """Debian 12 has 3.11.2: `soupsieve` asked for 3.11.5, and nothing could be set up there."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (oldest,) = [part.version for part in SpecifierSet(project["requires-python"]) if part.operator == ">="]
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonicalize_name(pin[1]): pin[2] for line in lines if (pin := _PIN.match(line))}
    asked = {
        f"{name} {found.version}": found.metadata.get("Requires-Python", "")
        for found in metadata.distributions()
        if pinned.get(name := canonicalize_name(found.metadata["Name"])) == found.version
    }
    assert len(asked) > 50, "those that are installed are those that are pinned"
    assert {what: asks for what, asks in asked.items() if f"{oldest}.0" not in SpecifierSet(asks)} == {}
