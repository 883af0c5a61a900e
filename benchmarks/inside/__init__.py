"""Where a build's time goes, and what of it is our own although a library has the like."""
