"""The Model Context Protocol itself: the only files beside `adopted/` that import `mcp`."""
