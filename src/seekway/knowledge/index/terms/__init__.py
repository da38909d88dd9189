"""The words by which a text is found."""
