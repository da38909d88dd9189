"""Relational state: SQLite in a file, or PostgreSQL, behind one interface and with the same statements."""
