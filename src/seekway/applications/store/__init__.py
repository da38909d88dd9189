"""Where applications and their conversations are kept: SQLite or PostgreSQL, with the same statements."""
