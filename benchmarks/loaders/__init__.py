"""How training reads large corpora."""
