"""`make demo`: a small corpus from real speech and real pictures, end to end."""
