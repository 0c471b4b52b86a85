"""`python -m hepml` is the command `hepml`."""

from hepml.cli import main

if __name__ == "__main__":
    main()
