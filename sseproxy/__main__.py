"""`python -m sseproxy` is the command line."""

from sseproxy.cli.main import main

if __name__ == "__main__":
    main()
