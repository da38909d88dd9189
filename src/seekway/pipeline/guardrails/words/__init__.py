"""Sensitive words: lists that people write, and the detector that finds their terms, disguised ones too."""
