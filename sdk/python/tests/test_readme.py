"""The code of README.md works as it stands there."""

import re
import sys
import types
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from quarry_extractor import parameters  # noqa: E402
from quarry_extractor.testing import Harness  # noqa: E402

NAMES = ["word_count", "test_word_count", "readme_parameters", "lines"]


class Readme(unittest.TestCase):
    def test_every_block_of_python_runs(self):
        blocks = re.findall("```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        self.assertEqual(len(blocks), len(NAMES))
        modules = {}
        for name, block in zip(NAMES, blocks):
            # Registered, so that the names in annotations are found.
            modules[name] = sys.modules[name] = types.ModuleType(name)
            exec(compile(block, name, "exec"), modules[name].__dict__)

        tests = unittest.defaultTestLoader.loadTestsFromModule(modules["test_word_count"])
        self.assertEqual(tests.countTestCases(), 2)
        result = tests.run(unittest.TestResult())
        self.assertEqual(result.errors + result.failures, [])

        declared = modules["readme_parameters"]
        self.assertEqual(
            parameters.schema_of(declared.Parameters)["properties"]["ignore"]["maxItems"], 1000
        )
        with self.assertRaisesRegex(ValueError, "parameter `ignore`"):
            declared.check(declared.Parameters(ignore=[""]))

        harness = Harness(modules["lines"].Lines, letters=2)
        self.assertEqual(harness.description["position"], "number")
        self.assertTrue(harness.description["queries"])
        found = harness.row(text="ab\n\nbb")
        self.assertEqual(found[1], {"number": 2, "embedding": [0.0, 2.0]})
        self.assertEqual(harness.embed_query("a"), {"embedding": [1.0, 0.0]})


if __name__ == "__main__":
    unittest.main()
