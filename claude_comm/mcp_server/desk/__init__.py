"""What every tool works with: the registry as a catalogue, the connection, the call that runs, and answers."""
