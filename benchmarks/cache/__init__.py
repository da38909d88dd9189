"""What the answer cache costs, and what the semantic one gets wrong."""
