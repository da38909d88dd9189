"""Review of what goes to a model and of what it answers."""
