"""Where a file's packets lie: containers, edit lists, bitstreams, and which packets a grid needs."""
