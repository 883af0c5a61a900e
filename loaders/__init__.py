"""What training code imports to read a corpus; needs neither Beam nor a codec."""
