"""Where state lies that outlives a request: servers behind small interfaces."""
