"""Python files with typed handlers, written from contracts."""
