"""``python -m screening`` is the same program as ``screen``."""

from screening.cli import main

if __name__ == "__main__":
    main()
