"""What samples are chosen by: signals as they are stored, and conditions on the rows of an index."""
