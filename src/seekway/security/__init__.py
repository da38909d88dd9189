"""Who may come in: keys, tokens, transport security, audit."""
