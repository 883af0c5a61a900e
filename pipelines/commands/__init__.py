"""The command `favor-data`: one file a subcommand."""
