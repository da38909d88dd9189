"""How much each caller may take: limits of requests and tokens, and budgets in money."""
