"""A document's cleaned text is cut into passages."""
