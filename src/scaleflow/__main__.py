"""``python -m scaleflow``: the command line."""

from scaleflow.cli.main import main

if __name__ == "__main__":
    main()
