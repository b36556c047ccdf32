"""`python -m hector_nb.frontends.cli`."""

from hector_nb.frontends.cli import main

main()
