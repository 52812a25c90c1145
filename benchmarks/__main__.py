"""``python -m benchmarks [planning|prefill]``: one table each, both without an argument."""

from __future__ import annotations

import argparse
import importlib


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="?", choices=("planning", "prefill"), help="default: both")
    chosen = parser.parse_args().which
    for name in [chosen] if chosen else ["planning", "prefill"]:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
