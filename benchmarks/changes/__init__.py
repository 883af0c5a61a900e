"""Media that change in mid-stream: a generated family, its judge, and what others make of it."""
