"""`python -m pipelines COMMAND`: the command `favor-data`."""

from pipelines.commands.command import entry

entry()
