"""HTML of strangers: its tree, its text, and what of it is safe to show."""
