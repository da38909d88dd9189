"""The settings' tables, one part of the product a file."""
