"""Schemas of tools, derived from contracts and proved inside them."""
