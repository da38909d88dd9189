"""Texts read as a reader sees them: disguises taken off, with the way back to the text as it came."""
