"""Large schemas of the kinds that are public, written for these tests, and plausible next versions of each.

`documents.corpus()` gives them all. Nothing in here is copied from a published schema: what is alike are the kinds of
construction (a property named `$schema`, open strings beside listed ones, forms told apart by a tag, deep `$defs`).
"""
