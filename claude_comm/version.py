"""The version of the package, in the one place that the build, the command line and the wire read it from."""

__version__ = "0.1.0"
