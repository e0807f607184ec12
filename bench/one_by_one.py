"""The command as it is, but for one thing: every write is a commit of its own."""

from deskroster.cli import main
from deskroster.ledger import queue

queue.MAX_VERBS = 1

if __name__ == "__main__":
    main()
