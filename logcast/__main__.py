"""`python -m logcast`."""

from logcast.cli import main

main()
