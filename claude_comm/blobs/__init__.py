"""Large payloads: kept as verified chunks beside the streams, named in the envelope by a manifest."""
