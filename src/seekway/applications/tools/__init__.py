"""What agents may call: the clock, the knowledge base, HTTP services by their OpenAPI description, MCP servers."""
