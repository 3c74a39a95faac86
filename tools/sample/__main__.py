"""`python -m tools.sample`: writes the sample, a bench of a given size, or appends to either."""

import argparse
import re
from pathlib import Path

from tools.sample.emit import append_share, known_paths_of, write_bench, write_sample

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def parse_size(text: str) -> int:
    """Bytes of a size such as `200MB`, `1GB` or `5000`; raises ArgumentTypeError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write for example 200MB or 1GB")
    return int(float(match[1]) * _UNITS[match[2]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.sample", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/_kb"), help="folder of the streams (default: data/_kb)")
    parser.add_argument("--seed", type=int, default=42, help="the same seed gives the same bytes (default: 42)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--bytes", type=parse_size, help="write a bench of about this size, e.g. 1GB")
    size.add_argument("--append", type=float, metavar="SHARE", help="append this share of the present size, e.g. 0.01")
    parser.add_argument("--known-paths", type=Path, metavar="FILE", help="also write the repository's paths")
    return parser.parse_args()


def _write_known_paths(file: Path, blocks: range, keep_present: bool) -> None:
    present = file.read_text("utf-8").splitlines() if keep_present and file.exists() else []
    paths = sorted({*present, *known_paths_of(blocks)})
    file.write_text("".join(f"{path}\n" for path in paths), "utf-8")


def main() -> None:
    """Parses the arguments and writes."""
    args = _arguments()
    if args.append is not None:
        blocks = append_share(args.out, args.seed, args.append)
    elif args.bytes is not None:
        blocks = write_bench(args.out, args.seed, args.bytes)
    else:
        blocks = write_sample(args.out, args.seed)
    if args.known_paths is not None:
        _write_known_paths(args.known_paths, blocks, keep_present=args.append is not None)


if __name__ == "__main__":
    main()
