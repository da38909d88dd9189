"""The two policies that scenarios are played with."""

PLAIN = ""
"""As shipped: a stream that breaks off ends in one explicit error."""
CONTINUE = '[resilience]\ncontinue_streams = "any"\n'
"""A stream that breaks off is continued on another backend."""
