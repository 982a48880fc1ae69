"""Modules as tools of AI agents, over the Model Context Protocol; and tools of other MCP servers as modules.

Law: `mcp` takes two seconds to import, so only the files below `protocol/` and `adopted/` import it, and they are
imported by the commands that serve.
"""
