"""Keys, tokens and passwords."""
