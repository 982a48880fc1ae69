"""The tools of another MCP server as a module."""
