"""What a model can be asked over HTTP, one dialect's request a file; the wire itself is in :mod:`seekway.gateway.dialects`."""
