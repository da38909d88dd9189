"""Files of many kinds become plain text with marks: titles, tables and lists in Markdown's way, and where each title and page begins."""
