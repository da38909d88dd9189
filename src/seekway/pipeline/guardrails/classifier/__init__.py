"""A small local classifier for prompt injection and jailbreaks, in English and Chinese."""
