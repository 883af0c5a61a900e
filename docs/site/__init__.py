"""What `make docs` needs beside the pages: MkDocs' hooks, and pages made from the code."""
