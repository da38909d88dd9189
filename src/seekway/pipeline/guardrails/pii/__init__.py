"""Personal data: what it is recognised by, and how it is hidden and put back."""
