"""Faults under load, with a verdict each: ``make chaos``."""
