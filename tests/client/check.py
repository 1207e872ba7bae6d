"""Calls every operation of the ingest API through the public Python client, in one story.

Run it with `./x client-check`. Every answer passes the client's own models; what an answer says is
asserted besides. Prints which operations failed and why, and `passed N of 105`.
"""

import argparse
import sys
import time
from pathlib import Path

from mixpeek import ApiClient, Configuration
from nouns import (
    batches,
    buckets,
    collections,
    documents,
    extractors,
    namespaces,
    objects,
    uploads,
    webhooks,
)
from server import Server
from story import OPERATIONS, Story

NAMESPACE = "client-check"


def client(url, key):
    configuration = Configuration(host=url, access_token=key, retries=False)
    configuration.api_key["NamespaceHeader"] = NAMESPACE
    return ApiClient(configuration)


def tell(story):
    # In the order of the story.
    chapters = [
        namespaces.create,
        buckets.create,
        objects.create,
        extractors.read,
        collections.create,
        uploads.tell,
        batches.first_batch,
        documents.read,
        collections.search,
        batches.repair,
        batches.many,
        batches.cancel,
        documents.change,
        collections.change,
        webhooks.tell,
        objects.change,
        batches.delete,
        collections.delete,
        buckets.delete,
        namespaces.delete,
    ]
    for chapter in chapters:
        if not story.server.alive():
            log = "".join(story.server.log)
            raise SystemExit(f"error: the server ended before {chapter.__name__}:\n{log}")
        with story.beyond(f"{chapter.__module__}.{chapter.__name__}"):
            chapter(story)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quarry", required=True, help="the binary")
    parser.add_argument("--work", required=True, type=Path, help="a folder to work in")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with Server(arguments.quarry, arguments.work) as server:
        story = Story(server, arguments.work, lambda key: client(server.url, key))
        with story.beyond("making a key"):
            story.key = server.make_key()
        if len(story.methods) != OPERATIONS:
            raise SystemExit(f"error: the client has {len(story.methods)} operations")
        tell(story)
    for operation, reason in story.failures:
        print(f"FAILED {operation}: {reason}")
    told = {operation for operation, _ in story.failures}
    for operation in sorted(set(story.methods) - story.passed - told):
        print(f"FAILED {operation}: never called")
    seconds = time.monotonic() - started
    print(f"passed {len(story.passed)} of {OPERATIONS} operations in {seconds:.1f} s")
    sys.exit(0 if len(story.passed) == OPERATIONS and not story.failures else 1)


if __name__ == "__main__":
    main()
