"""What `python -m deskroster` runs."""

from deskroster.cli import main

if __name__ == "__main__":
    main()
