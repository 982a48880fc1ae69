"""Builds a release and tries it: `make release`, or `python tools/release.py [--rehearse] [--tests PATH ...]`.

1. The committed sources go into an empty folder, and there into a source distribution and a wheel: what is not
   committed is in no release.
2. `twine check` reads their descriptions.
3. The wheel is installed into a clean environment. There, away from the sources, `claude-comm demo` runs and the tests
   pass, in a folder that has everything but the package.
4. What such an environment holds is written as a bill of materials (CycloneDX), the changelog's section beside it.

Law: nothing is published here, and a step that fails ends it. `--rehearse` takes the section of what is unreleased, and
`--tests` some of the tests: this is what every change is held to.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
DIST = REPOSITORY / "dist"
# What makes the package: the tests run without it.
PACKAGES = ("claude_comm", "workers")
UNRELEASED = "Unreleased"


def section(changelog: str, name: str) -> str:
    """The text of one section of the changelog. Raises SystemExit where there is none, or an empty one."""
    parts = re.split(r"^## \[?([^\]\n]+)\]?[^\n]*\n", changelog, flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True)).get(name, "").strip()
    if not text:
        raise SystemExit(f"CHANGELOG.md has nothing under [{name}]: write what this release brings, then try again.")
    return text + "\n"


def version_of(source: Path) -> str:
    """The version that the sources in this folder are of."""
    scope: dict[str, str] = {}
    exec((source / "claude_comm" / "version.py").read_text(encoding="utf-8"), scope)
    return scope["__version__"]


def export(folder: Path) -> str:
    """Writes the committed sources there, marked with their commit, which is returned."""
    commit = run("git", "rev-parse", "HEAD", cwd=REPOSITORY, capture=True).strip()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    file = folder / "claude_comm" / "version.py"
    file.write_text(
        file.read_text(encoding="utf-8").replace('REVISION = ""', f'REVISION = "{commit}"'), encoding="utf-8"
    )
    return commit


def tools(source: Path, folder: Path) -> Path:
    """The interpreter of an environment with what the extra `release` names."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return installed(source, folder, *project["optional-dependencies"]["release"])


def build(python: Path, source: Path) -> Path:
    """Builds into `dist`; the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(python, "-m", "build", "--outdir", DIST, source)
    run(python, "-m", "twine", "check", "--strict", *sorted(DIST.iterdir()))
    (wheel,) = DIST.glob("*.whl")
    return wheel


def installed(source: Path, folder: Path, *requirements: object) -> Path:
    """The interpreter of a clean environment in which there are these."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", source / "constraints.txt")
    run(*pip, *requirements)
    return python


def try_out(python: Path, source: Path, tests: Sequence[str]) -> None:
    """Runs the demo in an empty folder, and the tests beside everything of the sources but the package."""
    for package in PACKAGES:
        shutil.rmtree(source / package)
    with tempfile.TemporaryDirectory(prefix="cc-") as empty:
        run(python.parent / "claude-comm", "demo", cwd=empty, home=empty)
    where = "import claude_comm, workers; print(claude_comm.__file__)"
    place = run(python, "-c", where, cwd=source, capture=True).strip()
    if not Path(place).is_relative_to(python.parent.parent):
        raise SystemExit(f"the tests would import {place}, and not what was installed.")
    run(python, "-m", "pytest", "-n", "4", "--dist", "loadfile", *tests, cwd=source)


def bill_of_materials(tool: Path, python: Path, source: Path) -> None:
    """What the environment of an interpreter holds."""
    run(
        *(tool, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--spec-version", "1.6"),
        *("--pyproject", source / "pyproject.toml", "-o", DIST / "bom.json", python),
    )


def run(*command: object, cwd: Path | str | None = None, home: str = "", capture: bool = False) -> str:
    """Runs it in an environment without settings of ours; what it wrote, if that is captured."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE_COMM_", "PYTHON"))}
    if home:
        environ["CLAUDE_COMM_HOME"] = home
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:4]))} … failed (exit code {done.returncode})")
    return done.stdout or ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rehearse", action="store_true", help="take the unreleased section of the changelog")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="which tests the wheel has to pass")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cc-") as work:
        source = Path(work) / "source"
        source.mkdir()
        commit = export(source)
        version = version_of(source)
        changes = section((source / "CHANGELOG.md").read_text("utf-8"), UNRELEASED if asked.rehearse else version)
        tool = tools(source, Path(work) / "tools")
        wheel = build(tool, source)
        (DIST / "CHANGES.md").write_text(changes, encoding="utf-8")
        bill_of_materials(tool, installed(source, Path(work) / "alone", wheel), source)
        python = installed(source, Path(work) / "tested", f"{wheel}[test]")
        try_out(python, source, asked.tests)
    print(f"claude-comm {version} ({commit[:12]}): {', '.join(sorted(path.name for path in DIST.iterdir()))}")


if __name__ == "__main__":
    main()
