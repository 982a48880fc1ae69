"""On three masters: what the tests of this name show of one server."""

from tests.client.test_pressure import *  # noqa: F403
