"""Passages in Lance tables, the format of LanceDB, in a folder or an object store that several machines share."""
