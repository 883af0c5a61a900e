"""What a sample's sound and pictures are like, in numbers: a file a signal."""
