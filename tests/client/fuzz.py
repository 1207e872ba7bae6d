"""Fuzzes the API from its own published description with Schemathesis.

Run it with `./x fuzz-api`. All checks, a fixed seed: no 5xx, no status and no shape that the
description does not have. `schemathesis.toml` says what is let pass, and why.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from server import Server

SEED = 20251028
NAMESPACE = "fuzz"
SPARE = "spare"
# Phases that make cases of an operation beside the one whose number can be asked for.
PHASES = 3
# More rounds than these are not tried to reach the number of cases.
ROUNDS = 20


def prepare(server, key):
    """Things that exist, so that not everything is answered with 404."""

    def made(method, path, body):
        status, answer = server.request(method, path, body, key, NAMESPACE)
        if status >= 300:
            raise SystemExit(f"error: {method} {path} answered {status}: {answer}")
        return answer

    made("POST", "/v1/namespaces", {"namespace_name": NAMESPACE})
    made("POST", "/v1/namespaces", {"namespace_name": SPARE})
    schema = {"properties": {"text": {"type": "text"}}}
    bucket = made("POST", "/v1/buckets", {"bucket_name": "notes", "bucket_schema": schema})
    blobs = [{"property": "text", "type": "text", "data": "a boat on a quiet lake at dawn"}]
    made("POST", "/v1/buckets/notes/objects", {"blobs": blobs})
    source = {"type": "bucket", "bucket_ids": [bucket["bucket_id"]]}
    extractor = {
        "feature_extractor_name": "text-embed",
        "version": "1.0.0",
        "params": {"dimensions": 16},
        "input_mappings": {"text": "text"},
    }
    collection = {"collection_name": "passages", "source": source, "feature_extractor": extractor}
    made("POST", "/v1/collections", collection)


def spare_key(server, key):
    """The id of a key that may be revoked."""
    body = {"name": SPARE, "scopes": ["read"]}
    return server.request("POST", "/v1/keys", body, key)[1]["key"]["key_id"]


def run(server, key, work, seed, examples):
    """One round: the exit code of Schemathesis and how many cases it made."""
    report = work / "report.json"
    report.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "QUARRY_KEY": key,
        "QUARRY_NAMESPACE": NAMESPACE,
        "QUARRY_SPARE_KEY": spare_key(server, key),
        "QUARRY_SPARE_NAMESPACE": SPARE,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", Path(__file__).with_name("schemathesis.toml")),
        *("run", server.url + "/openapi.json"),
        *("--seed", seed, "--max-examples", examples),
        *("--report-json-path", report),
    ]
    words = [str(word) for word in command]
    # What Hypothesis keeps of earlier failures would make a run depend on the one before it.
    code = subprocess.run(words, env=environment, cwd=work).returncode
    return code, cases(report)


def cases(report):
    try:
        found = json.loads(report.read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(f"error: Schemathesis left no report: {error}") from None
    return found["test_cases"]["generated"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quarry", required=True, help="the binary")
    parser.add_argument("--work", required=True, type=Path, help="a folder to work in")
    parser.add_argument("--cases", type=int, default=10_000, help="at least so many cases")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    started, total, code = time.monotonic(), 0, 0
    with Server(arguments.quarry, work) as server:
        key = server.make_key()
        prepare(server, key)
        _, description = server.request("GET", "/openapi.json", key=key)
        operations = sum(len(methods) for methods in description["paths"].values())
        for round in range(ROUNDS):
            examples = max(1, -(-(arguments.cases - total) // (operations * PHASES)))
            code, found = run(server, key, work, arguments.seed + round, examples)
            total += found
            if code != 0 or total >= arguments.cases:
                break
        if not server.alive():
            raise SystemExit("error: the server ended:\n" + "".join(server.log))
        seconds = time.monotonic() - started
        print(f"{total} cases over {operations} operations in {seconds:.0f} s")
    sys.exit(0 if code == 0 and total >= arguments.cases else 1)


if __name__ == "__main__":
    main()
