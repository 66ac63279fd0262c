"""Images near a real one: of its mask edited, or with another contrast."""
