"""Who may speak in whose name, and the proof of it on every message. Pure: keys are handed in, nothing is read."""
