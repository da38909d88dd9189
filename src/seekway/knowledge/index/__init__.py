"""Passages where they are kept and found: by keyword, by full text and by vector."""
