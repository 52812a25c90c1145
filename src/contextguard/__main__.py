"""``python -m contextguard`` is the command line."""

from contextguard.cli import main

if __name__ == "__main__":
    main()
