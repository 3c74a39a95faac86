import sys, json, tempfile

sys.path.insert(0, "/work/main")
from pathlib import Path
from datetime import UTC
from tests.oracle import Options, expected
from tests.oracle.messy import write_messy
from tests.oracle.messy_pools import KNOWN_PATHS
from pipeline.settings import Gates, Settings
from pipeline.runner import run_stages
from pipeline.reader import Warehouse


class Quiet:
    def stage(self, n):
        pass

    def advance(self, n):
        pass

    def done(self, r):
        pass


def compare(data, base, gates, opts):
    o = run_stages(Settings(data=data, warehouse=base / "w", exports=base / "e", reports=base / "r", gates=gates), Quiet())
    if o.failure:
        print("FAIL", o.failure)
        return
    exp = expected(data, opts)
    w = Warehouse(base / "w")

    def rows(t):
        return w.arrow(t).to_pylist()

    def diff(name, mine, theirs, keys):
        k = lambda r: tuple(str(r[x]) for x in keys)
        a = {k(r): r for r in mine}
        b = {k(r): r for r in theirs}
        if len(a) != len(mine) or len(b) != len(theirs):
            print(name, "dup keys", len(a), len(mine), len(b), len(theirs))
        n = 0
        for key in sorted(set(a) | set(b)):
            x, y = a.get(key), b.get(key)
            if x is None or y is None:
                n += 1
                if n < 6:
                    print(name, "only", ("mine" if y is None else "oracle"), key, (x or y))
                continue
            for c in y:
                if x.get(c) != y[c]:
                    n += 1
                    if n < 6:
                        print(name, key, c, repr(x.get(c))[:200], repr(y[c])[:200])
        print(name, len(mine), len(theirs), "diffs", n)
        return n

    bad = 0
    mine = [{**r, "line": r["line"].encode() if r["line"] is not None else r["line_bytes"]} for r in rows("raw.lines")]
    bad += diff("lines", mine, exp.lines, ["source_file", "line_offset"])
    bad += diff("records", rows("evidence.records"), exp.records, ["source", "sig_hash"])
    bad += diff("skips", rows("evidence.skips"), exp.skips, ["source_file", "line_offset"])
    bad += diff("scored", rows("scored.runs"), exp.scored, ["source", "sig_hash"])
    bad += diff("q", rows("exports.quarantine"), exp.quarantine, ["export", "reason", "source", "sig_hash"]) if False else 0

    def strip(r):
        r = dict(r)
        for p in ("provenance", "rejected_provenance"):
            if p in r:
                r[p] = {k: v for k, v in r[p].items() if k != "recorded_at"}
        return r

    for t in ("rag", "sft", "preference"):
        text = next((base / "e" / t).glob("*.jsonl")).read_bytes().decode().split("\n")[:-1]
        files = [json.loads(l) for l in text]
        assert [f["id"] for f in files] == sorted(r["id"] for r in getattr(exp, t))
        bad += diff(t, [strip(r) for r in files], getattr(exp, t), ["id"])
    from collections import Counter

    kq = lambda r: tuple(
        str(r[c]) for c in ("export", "reason", "source", "source_run_id", "task_id", "source_file", "line_offset", "sig_hash")
    )
    a = Counter(map(kq, rows("exports.quarantine")))
    b = Counter(map(kq, exp.quarantine))
    if a != b:
        print("quarantine", list((a - b).items())[:5], list((b - a).items())[:5])
        bad += 1
    capped = [r["record_counts"]["capped"] for r in o.receipts if r["stage"] == "export-preference"][0]
    if capped != exp.capped:
        print("capped", capped, exp.capped)
        bad += 1
    dd = o.receipts[0]["record_counts"]["by_stream"]
    for s, c in exp.deduped.items():
        if dd.get(s, {}).get("deduped", 0) != c:
            print("deduped", s, c, dd.get(s))
            bad += 1
    print("bad", bad)


if __name__ == "__main__":
    for seed in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as d:
            d = Path(d)
            if seed == "real":
                data = Path("/work/shared/data/streams")
            else:
                data = d / "data"
                write_messy(data, int(seed), 600)
            kp = d / "kp"
            kp.write_text("\n".join(sorted(KNOWN_PATHS)) + "\n")
            for i, (g, o) in enumerate(
                [(Gates(), Options()), (Gates(True, True, kp), Options(frozenset(KNOWN_PATHS), True, True))]
            ):
                print("== seed", seed, i)
                compare(data, d / f"o{i}", g, o)
