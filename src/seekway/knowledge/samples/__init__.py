"""Passages and questions to measure a search with, written for this project: its own licence holds for them."""
