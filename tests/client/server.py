"""A real `quarry serve` over a data directory of its own."""

import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections import deque
from pathlib import Path


class Server:
    """Starts with the `with` block and ends with it."""

    START_SECONDS = 60
    STOP_SECONDS = 30

    def __init__(self, quarry, work, *options):
        self.data_dir = Path(work) / "data"
        shutil.rmtree(self.data_dir, ignore_errors=True)
        # Components are compiled once for all runs: their cache is not in the data directory.
        cache = Path(work) / "cache"
        self.command = [
            *(quarry, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir),
            *("--cache-dir", cache, *options),
        ]
        self.log = deque(maxlen=40)

    def __enter__(self):
        self.process = subprocess.Popen(
            [str(word) for word in self.command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._drain, daemon=True).start()
        timer = threading.Timer(self.START_SECONDS, self.process.kill)
        timer.start()
        # The first line of stdout is the URL.
        self.url = self.process.stdout.readline().strip()
        timer.cancel()
        if not self.url.startswith("http"):
            self.process.wait()
            raise SystemExit("error: `quarry serve` did not start:\n" + "".join(self.log))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _drain(self):
        for line in self.process.stderr:
            self.log.append(line)

    def alive(self):
        return self.process.poll() is None

    def request(self, method, path, body=None, key=None, namespace=None):
        """What the client has no method for: (status, JSON)."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        if namespace:
            headers["X-Namespace"] = namespace
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text.decode(errors="replace")

    def make_key(self):
        """The first key: from then on everybody has to show one."""
        body = {"name": "check", "scopes": ["admin"]}
        status, answer = self.request("POST", "/v1/keys", body)
        if status >= 300:
            raise RuntimeError(f"POST /v1/keys answered {status}: {answer}")
        texts = [value for value in answer.values() if isinstance(value, str)]
        return max((text for text in texts if text.startswith("qk_")), key=len)
