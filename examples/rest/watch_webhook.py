"""Follows batches by webhook: registers one, prints every event, and ends when it has heard all of a
batch that began after that. Messages may come in any order: the sequence numbers of a batch have no
gaps, so the number of its last event says how many there are.

Whether a message is genuine is checked with the public `standardwebhooks` library, which has no
code in common with Quarry. A server that listens on this machine only sends to this machine only
when it was started with --allow-private-targets.

    pip install standardwebhooks
    python3 watch_webhook.py [--for SECONDS]
"""

import argparse
import base64
import http.server
import json
import os
import secrets
import sys
import threading
import urllib.request

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

ENDS = {
    "batch.completed": 0,
    "batch.completed_with_errors": 0,
    "batch.failed": 1,
    "batch.canceled": 1,
}


def call(method, path, body=None):
    request = urllib.request.Request(
        os.environ["MP_API_URL"] + path,
        None if body is None else json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {os.environ['MP_API_KEY']}",
            "X-Namespace": os.environ["MP_NAMESPACE"],
            "Content-Type": "application/json",
        },
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    return json.loads(text) if text else None


def receiver(secret, events, stop):
    """A handler that takes genuine messages, and each of them once."""
    seen = set()
    # Each message comes in a thread of its own.
    alone = threading.Lock()
    # Of each batch: the sequence numbers heard, and its last one with what it was.
    heard, last = {}, {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                message = Webhook(secret).verify(body, headers)
            except WebhookVerificationError as error:
                print(f"refused: {error}", file=sys.stderr)
                self.send_response(401)
                self.end_headers()
                return
            self.send_response(204)
            self.end_headers()
            with alone:
                self.hear(message, headers["webhook-id"])

        def hear(self, message, identifier):
            # At least once is what is promised: the id tells a second time from a first.
            if identifier in seen:
                return
            seen.add(identifier)
            print(f"verified {message['type']} {json.dumps(message['data'])}", flush=True)
            batch = message["subject"]
            heard.setdefault(batch, set()).add(message["sequence"])
            if message["type"] in ENDS:
                last[batch] = (message["sequence"], message["type"])
            if batch in last and len(heard[batch]) >= last[batch][0]:
                events.append(last[batch][1])
                stop.set()

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--for", dest="seconds", type=float, default=600.0)
    arguments = parser.parse_args()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    events, stop = [], threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), receiver(secret, events, stop))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    config = {"url": url, "signing_secret": secret}
    webhook = call(
        "POST",
        "/v1/organizations/webhooks",
        {
            "webhook_name": "watch",
            "event_types": ["*"],
            "channels": [{"channel": "webhook", "configs": config}],
        },
    )
    print(f"listening at {url}", flush=True)
    try:
        stop.wait(arguments.seconds)
    finally:
        call("DELETE", f"/v1/organizations/webhooks/{webhook['webhook_id']}")
    if not events:
        raise SystemExit(f"error: no batch ended in {arguments.seconds} s")
    sys.exit(ENDS[events[0]])


if __name__ == "__main__":
    main()
