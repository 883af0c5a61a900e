"""A corpus as one page that people look at: totals, distributions, contact sheets."""
