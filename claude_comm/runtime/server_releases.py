"""Security releases of Valkey and Redis that we know of, and whether a server is behind one.

Law: a version of a series that is not listed is not called behind: nothing is known of it.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec

# Per program and series, the release with the last security fix that concerns what we use (streams, Lua, ACL, TLS), and
# that fix. Taken from the projects' release notes; last looked at on 2026-11-28.
SECURITY_RELEASES = {
    ("valkey", "7.2"): ("7.2.11", "CVE-2025-49844"),
    ("valkey", "8.0"): ("8.0.6", "CVE-2025-49844"),
    ("valkey", "8.1"): ("8.1.9", "CVE-2026-56684 and CVE-2026-63639"),
    ("valkey", "9.0"): ("9.0.5", "CVE-2026-56684 and CVE-2026-63639"),
    ("valkey", "9.1"): ("9.1.2", "GHSA-fq2f-crmw-q97r"),
    ("redis", "7.2"): ("7.2.11", "CVE-2025-49844"),
    ("redis", "7.4"): ("7.4.6", "CVE-2025-49844"),
    ("redis", "8.0"): ("8.0.4", "CVE-2025-49844"),
    ("redis", "8.2"): ("8.2.2", "CVE-2025-49844"),
}
# `Valkey server v=9.1.2 sha=…`, `Redis server v=7.0.15 sha=…`
_VERSION = re.compile(r"(\w+) server v=(\d+(?:\.\d+)*)")


class ServerRelease(msgspec.Struct, frozen=True):
    """A server program (`valkey` or `redis`) and its version."""

    program: str
    version: str

    def behind(self) -> str:
        """Why it is to be upgraded, as a sentence; "" where nothing is known against it."""
        series = ".".join(self.version.split(".")[:2])
        known = SECURITY_RELEASES.get((self.program, series))
        if known is None or _numbers(self.version) >= _numbers(known[0]):
            return ""
        return f"{self.program} {self.version} is behind the security release {known[0]} ({known[1]}): upgrade it."


def release_of(binary: Path) -> ServerRelease | None:
    """What the program says of itself; None where it cannot be run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout)
    return ServerRelease(found[1].lower(), found[2]) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
