"""The worker: one model in a process of its own, so that its crash or its memory never takes the service down."""
