"""`python -m sseproxy` and the installed command: the command line.

A thousand modules make no garbage. Looking for it while they are imported takes a sixth of the start, and going through
what they leave takes its time in every full collection of a running proxy.
"""

import gc

gc.disable()

from sseproxy.cli.main import main  # noqa: E402

gc.freeze()
gc.enable()

if __name__ == "__main__":
    main()
