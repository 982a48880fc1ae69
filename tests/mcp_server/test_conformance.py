"""The official conformance suite against a server whose tools are those of a module that answers as the suite asks.

It needs npm, and fetches the suite and the Node that it wants: without npm, or without a registry, it is skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from claude_comm import Settings
from tests.mcp_server.conformance_module import conformance
from tests.support.agent_servers import served
from tests.support.modules import running

pytest.importorskip("mcp")

PACKAGES = ("@modelcontextprotocol/conformance@0.2.0-alpha.12", "node@22")
REVISIONS = ("2025-11-25", "2026-07-28")
# Run by the suite beside what a revision requires; what is not named here is reported and does not count.
EXTENSIONS = "tasks-"
# How many scenarios of an extension a revision has: fewer means that the suite ran something else.
SCENARIOS = {"2025-11-25": 0, "2026-07-28": 10}
SECONDS = 280


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the suite."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the conformance suite is an npm package, and there is no npm")
    folder = tmp_path_factory.mktemp("conformance")
    done = subprocess.run(
        [npm, "install", "--prefix", str(folder), *PACKAGES],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the conformance suite cannot be installed: {done.stderr.strip()[-300:]}")
    modules = folder / "node_modules"
    script = modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    return [str(modules / ".bin" / "node"), str(script), "server"]


@pytest.mark.long
@pytest.mark.parametrize("revision", REVISIONS)
def test_every_required_scenario_passes(
    suite: list[str], settings: Settings, environ: dict[str, str], tmp_path: Path, revision: str
) -> None:
    options = ("--tools", "all", "--bare", "conformance", "--legacy-logging")
    with running(conformance(settings)), served(environ, tmp_path / "log", *options) as url:
        done = subprocess.run(
            [*suite, "--url", url, "--requirements", revision],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    outcomes = re.findall(r"^(✓|✗) ([\w-]+): (\d+) passed, (\d+) failed", summary, re.M)
    assert len(outcomes) >= 30, done.stdout[-2_000:]
    apart = set(re.findall(r"^  [✓✗] ([\w-]+) \(", summary.partition("Not scored")[2], re.M))
    failing = [name for mark, name, _, _ in outcomes if mark == "✗"]
    assert sum(name.startswith(EXTENSIONS) for _, name, _, _ in outcomes) == SCENARIOS[revision]
    assert [name for name in failing if name not in apart or name.startswith(EXTENSIONS)] == [], summary
