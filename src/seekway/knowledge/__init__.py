"""What applications know: documents cut into passages, found again by words and by meaning, and cited."""
