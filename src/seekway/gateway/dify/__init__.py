"""Dify's Service API: what its wire looks like, and what its routes ask of the layers below."""
