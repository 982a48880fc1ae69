"""The units: what systemd takes, little exposed, and the same as what compose runs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from claude_comm.runtime.signals import DRAIN_S
from tests.support.deployment import DEPLOY, OURS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit_and_finds_it_little_exposed(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text(encoding="utf-8")
    # The programs where they are here: it looks for them.
    text = re.sub(r"^ExecStart=\S+", f'ExecStart="{sys.executable}"', text, flags=re.MULTILINE)
    copy = tmp_path / unit.name.replace("@.", "@progress.")
    copy.write_text(text, encoding="utf-8")
    verified = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)]
    assert subprocess.run(exposure, capture_output=True, check=False).returncode == 0


def test_the_unit_of_the_workers_starts_what_compose_starts_and_outwaits_its_drain() -> None:
    text = (DEPLOY / "systemd" / "claude-comm@.service").read_text(encoding="utf-8")
    options = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))
    _, *command = options["ExecStart"].replace("%i", "progress").split()
    assert command == OURS["progress"]["command"]
    assert options["Type"] == "notify"
    assert int(options["TimeoutStopSec"]) > DRAIN_S
    assert int(options["WatchdogSec"]) >= 4 * DRAIN_S
