"""What a release takes from the sources, and the workflow that holds each change to the same checks."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from claude_comm.version import REVISION, __version__
from tests.support.homes import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", REPOSITORY / "tools" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_section_of_a_version_is_its_text_and_no_other(release: ModuleType) -> None:
    changelog = "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-01-02\n\n### Added\n\n- b\n\n## [1.0.0]\n\n- a\n"
    assert release.section(changelog, "1.1.0") == "### Added\n\n- b\n"
    assert release.section(changelog, "1.0.0") == "- a\n"
    for missing in ("Unreleased", "2.0.0"):
        with pytest.raises(SystemExit, match="write what this release brings"):
            release.section(changelog, missing)


def test_the_changelog_says_what_is_new(release: ModuleType) -> None:
    assert "### Added" in release.section((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), "Unreleased")


def test_the_version_stands_in_one_place(release: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "claude_comm").mkdir()
    (tmp_path / "claude_comm" / "version.py").write_text(f'__version__ = "{__version__}"\nREVISION = ""\n')
    assert release.version_of(tmp_path) == __version__
    assert re.fullmatch(r"[0-9a-f]{40}|", REVISION)
    for path in ("compose.yaml", "deploy/Dockerfile", *sorted((REPOSITORY / "deploy" / "kubernetes").glob("*.yaml"))):
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        for found in re.findall(r"claude-comm:(\d[\w.]*)|^ARG VERSION=(\S+)", text, flags=re.MULTILINE):
            assert "".join(found) == __version__, (
                f"{path}: the version is in claude_comm/version.py; write it here, too"
            )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_pins_its_actions_and_runs_what_everybody_runs(path: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]) if "uses" in step else step["run"]
    assert [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step] == [".ci/run"]


def test_there_is_a_workflow() -> None:
    assert WORKFLOWS or not (REPOSITORY / ".github").exists()
