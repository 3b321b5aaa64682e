"""`python -m framework` is the `actions` command."""

from framework.cli import main

main()
