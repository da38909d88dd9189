"""Finds the system prompt in answers."""
