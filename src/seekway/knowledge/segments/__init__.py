"""Passages of indexed documents as rows of their own, which people change."""
