"""Documents on their way from a file to passages that are found: what was accepted is on disk, and goes on where it was after a crash."""
