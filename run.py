"""`python run.py [CONFIG]`: the same as `opssage up`, for people who have a checkout."""

import sys

from cli.main import main

if __name__ == "__main__":
    main(["up", *(f"--config={name}" for name in sys.argv[1:2])])
