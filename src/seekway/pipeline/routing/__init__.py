"""Choosing a backend: the rules, the pools, the strategies."""
