"""`python -m pipelines COMMAND`: the command `favor-data`."""

from pipelines.commands.command import entry

if __name__ == "__main__":
    entry()
