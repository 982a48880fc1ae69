"""Tests of one server, run once more on three masters: `settings` of this folder take the place of theirs."""
