"""python3 -m unittest discover -s tests"""

import json
import sys
import unittest
from array import array
from pathlib import Path

PROJECT = Path(__file__).parent.parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "../../../sdk/python")]

from quarry_extractor.testing import Harness  # noqa: E402
from readability import Readability  # noqa: E402


class Golden(unittest.TestCase):
    def test_the_fixtures_have_the_documents_that_all_languages_make(self):
        for name in ("golden", "dimensions"):
            with self.subTest(name):
                fixture = read(f"fixtures/{name}.json")
                expected = read(f"expected/{name}.json")
                harness = Harness(Readability, **fixture["parameters"])
                answers = harness.rows(fixture["rows"])
                wanted = [document["fields"] for document in expected["documents"]]
                self.assertEqual([rounded(each) for [each] in answers], list(map(rounded, wanted)))
                queries = [rounded(harness.embed_query(text)) for text in fixture["queries"]]
                self.assertEqual(queries, list(map(rounded, expected["queries"])))


def read(path):
    return json.loads((PROJECT.parent / path).read_text())


def rounded(fields):
    """Vectors are equal when the nearest 32-bit floats are."""
    return fields | {"keywords": array("f", fields["keywords"])}


if __name__ == "__main__":
    unittest.main()
