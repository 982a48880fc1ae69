"""Semantic versions (semver.org 2.0.0) of contracts, and ranges of them.

Law: pure. A version is MAJOR, MAJOR.MINOR or MAJOR.MINOR.PATCH, what is left out being 0, with a pre-release after `-`
and build metadata after `+`, which does not count in comparisons.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from claude_comm.errors import ConfigurationError

# By section 11 of the specification: the three numbers, whether it is a release, and the parts of the pre-release,
# numbers before words.
Precedence: TypeAlias = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]

_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_PARTS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?(?:-({_PARTS}))?(?:\+({_PARTS}))?")
_MAX_CHARACTERS = 64
_BOUND = re.compile(r"(>=|<=|==|>|<|\^|~|)\s*(\S+)")


def check_version(version: object) -> str:
    """The version itself. Raises ConfigurationError."""
    if isinstance(version, str) and len(version) <= _MAX_CHARACTERS and _VERSION.fullmatch(version):
        return version
    raise ConfigurationError(
        f"the version is {version!r:.80}: write it as MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1."
    )


def precedence(version: str) -> Precedence:
    """What versions are ordered by; what is no version comes before all that are."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return -1, 0, 0, False, ()
    major, minor, patch, before, _ = match.groups()
    parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in (before or "").split("."))
    return int(major), int(minor or 0), int(patch or 0), before is None, parts if before else ()


def within(version: str, wanted: str) -> bool:
    """Whether a version lies in a range: bounds with commas between them, all of which must hold.

    `>=1.2, <2`; `^1.2` is up to the next major version, `~1.2` up to the next minor one; `1.2` alone, and `==1.2`, is
    that very version. An empty range, and `*`, hold every version. Raises ConfigurationError for what is no range.
    """
    bounds = [bound.strip() for bound in wanted.split(",") if bound.strip() not in ("", "*")]
    # Every bound is read, so that a range is refused whatever version it is asked about.
    held = [_holds(version, bound) for bound in bounds]
    return all(held)


def check_range(wanted: object) -> str:
    """The range itself. Raises ConfigurationError for what is none."""
    if not isinstance(wanted, str):
        raise ConfigurationError(f"{wanted!r:.80} is no version range: it is a text, such as '^1.2'.")
    within("0.0.0", wanted)
    return wanted


def _holds(version: str, bound: str) -> bool:
    match = _BOUND.fullmatch(bound)
    if match is None or not _VERSION.fullmatch(match[2]):
        raise ConfigurationError(f"{bound!r} is no version range: write it as `>=1.2, <2`, `^1.2`, `~1.2` or `1.2.0`.")
    at, limit = precedence(version), precedence(match[2])
    match match[1]:
        case ">=":
            return at >= limit
        case "<=":
            return at <= limit
        case ">":
            return at > limit
        case "<":
            return at < limit
        case "^":
            # Before 1.0.0 a minor version may break.
            return at >= limit and at[0] == limit[0] and (limit[0] > 0 or at[1] == limit[1])
        case "~":
            return at >= limit and at[:2] == limit[:2]
    return at == limit
