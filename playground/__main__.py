"""`python -m playground demo` for a person who watches, `python -m playground tour` for none."""

import argparse
import os
import signal
import sys

from ops.terminal import Screen

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it


def main() -> int:
    """Run one of the two; a demo that nobody watches is a tour."""
    parser = argparse.ArgumentParser(prog="python -m playground", description=__doc__)
    parser.add_argument("what", choices=("demo", "tour"))
    parser.add_argument("--port", type=int, default=8000, help="the page's, if it is free")
    chosen = parser.parse_args()
    _leave_the_shell_behind()
    # Ctrl-C, which a shell may have set to be ignored; a kill; a window that is closed.
    for end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)
    is_watched = sys.stdout.isatty() and not os.environ.get("CI")
    try:
        if chosen.what == "demo" and is_watched:
            from playground import demo  # noqa: PLC0415 — neither needs the other's imports

            return demo.run(Screen(), chosen.port)
        from playground import tour  # noqa: PLC0415

        return tour.run(Screen())
    except KeyboardInterrupt:
        return INTERRUPTED


def _leave_the_shell_behind() -> None:
    """Keep the shell's own AWS profile and proxy away from the addresses on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, ("127.0.0.1", os.environ.get(name))))


if __name__ == "__main__":
    sys.exit(main())
