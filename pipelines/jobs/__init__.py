"""What a launcher does around the graph: a build, a build again, and changes that look at no media."""
