"""What other libraries call to read a corpus."""
