"""What the index says of a sample's media: headers, and signals."""
