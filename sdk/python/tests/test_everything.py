"""python3 -m unittest discover -s tests"""

import json
import sys
import unittest
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent / "everything")]

from everything import Everything, Parameters  # noqa: E402

from quarry_extractor import (  # noqa: E402
    Blob,
    Dense,
    Extractor,
    Json,
    NoParameters,
    ParameterError,
    Reject,
    Sparse,
    log,
)
from quarry_extractor.testing import Harness  # noqa: E402


def row(**changes):
    fields = {
        "name": "née",
        "count": 2,
        "ratio": 0.5,
        "flag": True,
        "facts": {"a": [1, None]},
        "file": b"\x00\xff",
        "vector": [1, 0.1],
    }
    return fields | changes


class Fields(unittest.TestCase):
    def setUp(self):
        self.lines = []
        log.send_to(lambda level, line: self.lines.append((level, line)))

    def test_every_type_comes_out_as_it_went_in(self):
        first, second = Harness(Everything).row(**row())
        tenth = 0.10000000149011612
        self.assertEqual(
            second,
            {
                "name": "née",
                "count": 2,
                "ratio": 0.5,
                "flag": True,
                "facts": {"a": [1, None]},
                "file": b"\x00\xff",
                "dense": [1.0, tenth],
                "terms": {"indices": [1, 8], "values": [0.5, 0.5]},
                "tokens": [[1.0, tenth]] * 2,
                "note": None,
                "size": None,
                "more": None,
                "ordinal": 1,
            },
        )
        self.assertEqual(first["terms"], {"indices": [], "values": []})
        self.assertEqual(self.lines, [(4, "née")])

    def test_rows_keep_their_order_over_tiles_and_rejections(self):
        rows = [row(name=str(number), count=number % 4) for number in range(10)]
        rows[4]["name"] = "reject"
        rows[5]["name"] = "transient"
        rows[6] |= {"name": "raise", "note": "x"}
        rows[7] |= {"note": "there", "size": -(2**63), "more": [1], "other": [2.0]}
        answers = Harness(Everything).rows(rows)
        found = {at: answer for at, answer in enumerate(answers) if isinstance(answer, Reject)}
        codes = {at: reject.code for at, reject in found.items()}
        self.assertEqual(codes, {4: "as_asked", 5: "unavailable", 6: "exception"})
        self.assertRegex(found[6].message, r"KeyError: 'missing' \(everything.py, line \d+\)")
        self.assertTrue(any("Traceback" in line for _, line in self.lines))
        counts = {at: len(answer) for at, answer in enumerate(answers) if at not in found}
        self.assertEqual(counts, {0: 0, 1: 1, 2: 2, 3: 3, 7: 3, 8: 0, 9: 1})
        self.assertEqual([each["note"] for each in answers[7]], ["there"] * 3)
        self.assertEqual(answers[7][0]["size"], -(2**63))
        self.assertEqual(answers[7][0]["more"], [2.0])
        self.assertEqual([each["name"] for each in answers[9]], ["9"])

    def test_large_output_is_handed_over_within_a_tile(self):
        big = b"x" * (700 << 10)
        answers = Harness(Everything).rows([row(file=big, name=str(at)) for at in range(3)])
        self.assertEqual(
            [[each["name"] for each in of] for of in answers], [["0"] * 2, ["1"] * 2, ["2"] * 2]
        )

    def test_what_does_not_fit_a_field_rejects_the_row(self):
        def refused(**changes):
            with self.assertRaises(Reject) as caught:
                Harness(Everything).row(**row(**changes))
            return caught.exception.message

        self.assertIn("output `ratio`: inf is not finite", refused(ratio=float("inf")))
        self.assertIn("output `dense`: has 3 values, its dimension is 2", refused(vector=[1, 2, 3]))
        self.assertIn("output `dense`: is a vector of zeros", refused(vector=[0, 0]))
        self.assertIn("output `dense`: has 9.99", refused(vector=[1e17, 0]))

    def test_a_blob_that_is_too_large_or_unreadable_rejects_the_row(self):
        with self.assertRaises(Reject) as caught:
            Harness(Everything).row(**row(file=b"x" * ((1 << 20) + 1)))
        self.assertEqual(caught.exception.code, "blob_too_large")
        with self.assertRaises(Reject) as caught:
            Harness(Everything).row(**row(file=Reject("gone", "gone")))
        self.assertEqual(caught.exception.code, "blob_unreadable")

    def test_a_query_has_the_very_floats(self):
        tenth = 0.10000000149011612
        self.assertEqual(
            Harness(Everything).embed_query("abc"),
            {
                "dense": [3.0, tenth],
                "terms": {"indices": [3], "values": [tenth]},
                "tokens": [[1.0, 2.0], [3.0, 4.0]],
            },
        )


class Descriptions(unittest.TestCase):
    def test_a_description_follows_from_the_declarations(self):
        found = Harness(Everything).description
        self.assertEqual(found["summary"], "Makes everything of everything")
        self.assertEqual(
            found["inputs"][0],
            {"name": "name", "type": "utf8", "required": True, "description": "Comes out again."},
        )
        self.assertEqual([each["required"] for each in found["inputs"][-4:]], [False] * 4)
        self.assertEqual(
            found["outputs"][6],
            {"name": "dense", "type": "dense", "dimension": 2, "distance": "cosine"}
            | {"description": ""},
        )
        self.assertEqual(found["position"], "ordinal")
        self.assertEqual(found["memory_bytes"], 40 << 20)
        self.assertIs(found["deterministic"], False)
        self.assertTrue(found["queries"])
        json.dumps(found)

    def test_the_schema_of_parameters_has_their_bounds_and_defaults(self):
        schema = Harness(Everything).description["parameters"]
        self.assertEqual(schema["description"], "How everything is made.")
        properties = schema["properties"]
        self.assertEqual(
            properties["dimension"],
            {"type": "integer", "description": "Values of a vector."}
            | {"minimum": 1, "maximum": 100, "default": 2},
        )
        self.assertEqual(properties["mode"], {"enum": ["plain", "odd"], "default": "plain"})
        names = {"type": "array", "items": {"type": "string"}, "maxItems": 3, "default": []}
        self.assertEqual(properties["names"], names)
        self.assertEqual(properties["limit"], {"type": ["integer", "null"], "default": None})
        self.assertEqual(properties["part"]["default"], {"size": 4})
        self.assertFalse(properties["part"]["additionalProperties"])

    def test_errors_of_parameters_name_the_parameter(self):
        def refused(**parameters):
            with self.assertRaises(ParameterError) as caught:
                Harness(Everything, **parameters)
            return str(caught.exception)

        self.assertEqual(refused(dimension=0), "parameter `dimension`: it is 0, under 1")
        self.assertIn("parameter `dimension`: 'two' is not of type", refused(dimension="two"))
        self.assertIn("parameter `dimension`: True is not", refused(dimension=True))
        self.assertIn("parameter `mode`: 'x' is not one of 'plain', 'odd'", refused(mode="x"))
        self.assertIn("parameter `names`: its length is 4, over 3", refused(names=["a"] * 4))
        self.assertIn("parameter `names/1`: 2 is not of type string", refused(names=["a", 2]))
        self.assertIn("parameter `part/size`: it is 0, under 1", refused(part={"size": 0}))
        self.assertIn("parameter `colour`: unknown (known: dimension", refused(colour=1))
        self.assertEqual(refused(refuse=True), "parameter `refuse`: as asked for")

    def test_parameters_take_their_types(self):
        extractor = Harness(Everything, dimension=3.0, weight=2, limit=None)._runner.extractor
        self.assertEqual(extractor.parameters, Parameters(dimension=3, weight=2.0))

    def test_fields_that_are_left_out_are_neither_described_nor_written(self):
        harness = Harness(Everything, scalars_only=True, dimension=7)
        self.assertEqual(len(harness.description["outputs"]), 10)
        self.assertNotIn("dense", harness.row(**row())[0])

    def test_declarations_that_can_not_work_are_refused(self):
        def refused(row_type, document_type=None):
            @dataclass
            class Nothing:
                pass

            class Wrong(Extractor[NoParameters, row_type, document_type or Nothing]):
                def extract(self, row, documents):
                    pass

            with self.assertRaises(TypeError) as caught:
                Harness(Wrong)
            return str(caught.exception)

        def declared(hint, name="field"):
            return dataclass(type("Declared", (), {"__annotations__": {name: hint}}))

        nothing = declared(str)
        self.assertIn("put @dataclass above", refused(int))
        self.assertIn("take Blob", refused(declared(bytes)))
        self.assertIn("can not be `| None`", refused(declared(Blob | None)))
        self.assertIn("is not the type of a field", refused(declared(dict)))
        self.assertIn("lower-case", refused(declared(str, "Field")))
        self.assertIn("an output is `bytes`", refused(nothing, declared(Blob)))
        self.assertIn("`Sparse()`", refused(nothing, declared(Sparse | None)))

    def test_a_vector_without_a_dimension_is_refused(self):
        @dataclass
        class Only:
            vector: Dense

        class Wrong(Extractor[NoParameters, Only, Only]):
            def extract(self, row, documents):
                pass

        with self.assertRaisesRegex(ValueError, "`vector` has no dimension"):
            Harness(Wrong)


class Blobs(unittest.TestCase):
    def test_a_blob_is_a_file_for_libraries(self):
        @dataclass
        class File:
            file: Blob

        @dataclass
        class Names:
            names: Json

        class Zip(Extractor[NoParameters, File, Names]):
            def extract(self, row, documents):
                with zipfile.ZipFile(row.file.open()) as archive:
                    names = {each: archive.read(each).decode() for each in archive.namelist()}
                documents.push(Names(names | {"end": len(row.file.read(len(row.file) - 2, 9))}))

        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("a.txt", "a" * (200 << 10))
        [document] = Harness(Zip).row(file=packed.getvalue())
        self.assertEqual(document["names"], {"a.txt": "a" * (200 << 10), "end": 2})


if __name__ == "__main__":
    unittest.main()
