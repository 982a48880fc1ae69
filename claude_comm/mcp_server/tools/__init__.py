"""The tools that every server has, one file a subject."""
