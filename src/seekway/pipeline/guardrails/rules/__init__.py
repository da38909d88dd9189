"""Findings by pattern, and by what a text looks like."""
