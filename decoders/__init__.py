"""Media files to frames and sound on the grid. PyAV and decord; no Beam, no encoder."""
