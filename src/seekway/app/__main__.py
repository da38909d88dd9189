"""``python -m seekway.app`` is ``seekway``, for processes that start each other through the same interpreter."""

from seekway.app.cli import main

if __name__ == "__main__":
    main(prog_name="seekway")
