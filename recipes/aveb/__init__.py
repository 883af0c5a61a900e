"""AVEB (arXiv 2310.05863): a manifest a task, of whatever of its eleven a folder of sets allows."""
