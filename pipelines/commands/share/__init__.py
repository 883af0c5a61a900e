"""What hands a corpus on: to other people's loaders, to a hub."""
