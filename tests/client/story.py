"""The ledger of operations: one counts when the client called it and the answer was asserted."""

import importlib
import inspect
import time

from mixpeek.exceptions import ApiException
from mixpeek.models.error_response import ErrorResponse
from pydantic import ValidationError

# Modules of the client with the operations of the ingest side. Nothing in them is left out.
MODULES = [
    "namespaces_api",
    "buckets_api",
    "bucket_objects_api",
    "bucket_uploads_api",
    "feature_extractors_api",
    "namespace_extractors_api",
    "collections_api",
    "bucket_batches_api",
    "batches_api",
    "tasks_api",
    "collection_documents_api",
    "webhooks_api",
]
OPERATIONS = 105
CALL_SECONDS = 30
WAIT_SECONDS = 120


class Missing(Exception):
    """A step needs what an earlier one was to make."""


class Made:
    """What the steps made so far, by name."""

    def __getattr__(self, name):
        raise Missing(f"needs `{name}`, which an earlier step did not make")


def operations(client):
    """The methods of the client's own classes by operation id."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"mixpeek.api.{name}")
        [kind] = [
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if kind.__module__ == module.__name__
        ]
        api = kind(client)
        for method, _ in inspect.getmembers(kind, inspect.isfunction):
            variant = method.endswith(("_with_http_info", "_without_preload_content"))
            if not method.startswith("_") and not variant:
                found[method] = getattr(api, method)
    return found


class Story:
    def __init__(self, server, folder, client):
        self.server = server
        self.folder = folder
        self.client = client
        self.made = Made()
        # The same client without a key.
        self.strangers = operations(client(None))
        self.key = None
        self.passed = set()
        self.failures = []

    @property
    def key(self):
        return self._key

    @key.setter
    def key(self, key):
        """Whoever asks from now on shows this."""
        self._key = key
        self.methods = operations(self.client(key))

    def check(self, operation):
        """A `with` block that calls one operation, often several times, and asserts answers."""
        return Check(self, operation)

    def beyond(self, name):
        """A `with` block for what the client has no method for; it must hold and is not counted."""
        return Check(self, name, counted=False)

    def failed(self, operation, reason):
        self.failures.append((operation, reason))
        self.passed.discard(operation)

    def wait(self, what, probe):
        """The first answer of `probe` that is not None."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            found = probe()
            if found is not None:
                return found
            time.sleep(0.05)
        raise TimeoutError(f"{what} did not happen in {WAIT_SECONDS} s")


class Check:
    def __init__(self, story, operation, counted=True):
        if counted and operation not in story.methods:
            raise SystemExit(f"error: the client has no operation `{operation}`")
        self.story = story
        self.operation = operation
        self.counted = counted
        self.called = False
        self.asserted = 0
        self.problems = []

    def __enter__(self):
        return self

    def __call__(self, *arguments, **named):
        """Calls the operation; the client checks the answer against its models."""
        method = self.story.methods[self.operation]
        answer = method(*arguments, _request_timeout=CALL_SECONDS, **named)
        self.called = True
        return answer

    def same(self, what, found, expected):
        self.asserted += 1
        found = getattr(found, "value", found)
        if found != expected:
            self.problems.append(f"{what} is {found!r:.300}, not {expected!r:.300}")

    def holds(self, what, condition, found=""):
        self.asserted += 1
        if not condition:
            shown = f": {found!r:.300}" if found != "" else ""
            self.problems.append(f"{what} does not hold{shown}")

    def refused(self, status, *arguments, stranger=False, **named):
        """The operation raises the client's exception, with the envelope of errors in it."""
        methods = self.story.strangers if stranger else self.story.methods
        try:
            answer = methods[self.operation](*arguments, _request_timeout=CALL_SECONDS, **named)
        except ApiException as error:
            # The client knows the shape of the statuses that its own description lists, 409 not.
            body = error.data or ErrorResponse.from_json(error.body or "{}")
            self.same("the status", error.status, status)
            self.holds("an error is an ErrorResponse", isinstance(body, ErrorResponse), error.body)
            if isinstance(body, ErrorResponse):
                self.same("status of the envelope", body.status, status)
                self.same("success of the envelope", body.success, False)
                self.holds("an error says what is wrong", bool(body.error.message))
                return body.error
        else:
            self.problems.append(f"{status} was expected, the answer is {answer!r:.300}")

    def unsupported(self, *arguments, **named):
        """What this engine does not have it says: 422, and by its own type. That is the answer."""
        error = self.refused(422, *arguments, **named)
        if error is not None:
            self.same("the type of the error", error.type, "unsupported")
            self.called = True

    def __exit__(self, kind, error, _):
        if error is not None and not isinstance(error, Exception):
            return False
        if error is not None:
            self.problems.append(reason(error))
        if self.counted and not self.problems and not self.asserted:
            self.problems.append("nothing was asserted")
        for problem in self.problems:
            self.story.failed(self.operation, problem)
        failed_before = any(operation == self.operation for operation, _ in self.story.failures)
        if self.counted and self.called and not failed_before:
            self.story.passed.add(self.operation)
        return True


def reason(error):
    if isinstance(error, ApiException):
        return f"HTTP {error.status}: {error.body}"[:600]
    if isinstance(error, ValidationError):
        places = [".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()]
        return f"the client refuses the answer as {error.title}: " + "; ".join(places)[:600]
    return f"{type(error).__name__}: {error}"[:600]
