"""The command `attnviz`, and `python -m attnviz`; Ctrl-C ends it from the first import on."""

from __future__ import annotations

import os
import signal
import sys

from attnviz.cli import interrupt


def main() -> None:
    """Run the command line: exit code 0, 1 for a known failure, 2 for usage, 130 interrupted."""
    heeded = interrupt.heeded()
    if heeded:
        signal.signal(signal.SIGINT, interrupt.leave)
    from attnviz.cli.app import run
    from attnviz.cli.streams import open_streams

    open_streams()
    code = interrupt.CODE
    try:
        if heeded:
            signal.signal(signal.SIGINT, interrupt.interrupt)
        code = run(sys.argv[1:])
    except (KeyboardInterrupt, Exception):
        if not interrupt.seen:
            raise
    finally:
        if heeded:  # what was asked for is done: the interpreter ends undisturbed
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code == interrupt.CODE:  # sys.exit would end by the signal if exec() was interrupted
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
