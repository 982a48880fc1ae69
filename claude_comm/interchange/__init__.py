"""Contracts in the formats of others: written as AsyncAPI, JSON Schema and A2A, read from AsyncAPI, OpenAPI and MCP.

Law: pure. Nothing is fetched, and what another format cannot say, or ours cannot, is named with its place.
"""
