"""On three masters: what the tests of this name show of one server."""

from tests.ops.test_lag import *  # noqa: F403
