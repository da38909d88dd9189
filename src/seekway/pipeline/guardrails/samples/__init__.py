"""Harmless texts, English and Chinese, that no policy may stop: written for the project, Apache-2.0."""
