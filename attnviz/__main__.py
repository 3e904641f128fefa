"""`python -m attnviz` is the command `attnviz`."""

from attnviz.cli.app import main

if __name__ == "__main__":
    main()
