"""`python -m zrep`."""

from zrep.cli.main import main

if __name__ == "__main__":
    main()
