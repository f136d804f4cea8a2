"""`python -m pybpfnf`: the command line."""

from pybpfnf.cli import main

if __name__ == "__main__":
    main()
