"""Chaos: real processes on a real server, killed and stopped at random from a fixed seed, and then counted up.

`python -m tests.chaos --seconds 60 --seed 1` runs it; `docs/guarantees.md` says what it shows.
"""
