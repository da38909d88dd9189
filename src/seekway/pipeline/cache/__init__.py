"""The answer cache: equal requests, and on demand questions that mean the same, are answered without the model."""
