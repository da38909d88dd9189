"""Answers beside the answer: those written by hand, questions to ask next, names of conversations."""
