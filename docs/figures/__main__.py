"""Write all figures, or those named: ``python -m docs.figures [NAME ...]``."""

import sys

from docs.figures.style import names, write

if __name__ == "__main__":
    for name in sys.argv[1:] or names():
        print(write(name))
