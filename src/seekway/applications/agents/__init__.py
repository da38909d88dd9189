"""Applications whose model calls tools."""
