"""python3 -m unittest"""

import sys
import unittest
from pathlib import Path

PROJECT = Path(__file__).parent
sys.path[:0] = [str(PROJECT), str(PROJECT / "sdk/python")]

from quarry_extractor import Reject  # noqa: E402
from quarry_extractor.testing import Harness  # noqa: E402

from extractor import Letters  # noqa: E402


class LettersTest(unittest.TestCase):
    def test_short_words_do_not_count(self):
        [document] = Harness(Letters, letters_min=3).row(text="To be, or not to be!")
        self.assertEqual(document["words"], 1)

    def test_a_text_without_letters_is_rejected(self):
        with self.assertRaises(Reject) as caught:
            Harness(Letters).row(text="2026")
        self.assertEqual(caught.exception.code, "no_letters")


if __name__ == "__main__":
    unittest.main()
