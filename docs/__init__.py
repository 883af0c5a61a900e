"""Pages for people; `site/` makes a site of them."""
