"""The version of the package, in the one place that the build, the command line and the wire read it from."""

__version__ = "0.1.0"

# The commit that a wheel was built from: `tools/release.py` writes it into what it builds.
REVISION = ""
