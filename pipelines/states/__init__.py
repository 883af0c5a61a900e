"""States of a corpus (docs/format.md): their tables' parts, the commit, what is swept and what is kept."""
