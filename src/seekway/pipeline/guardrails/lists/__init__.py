"""The word lists that come with Seekway, and where they lie; ``docs/guardrails-lists.md`` says what is in them."""
