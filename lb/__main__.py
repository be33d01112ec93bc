"""`python -m lb` is `lb`."""

from lb.cli.main import main

if __name__ == "__main__":
    main(prog_name="lb")
