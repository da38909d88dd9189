"""Dify's application files: read with a report of what was changed, and written."""
