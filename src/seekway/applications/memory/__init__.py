"""What of a conversation the model reads again."""
