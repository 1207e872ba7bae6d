use quarry_extractor::native::{NativeColumn, NativeExtractor, NativeOutput};
use quarry_extractor::testing::{Value, json};

use crate::{Everything, harness, row};

#[test]
fn every_type_comes_out_as_it_went_in() {
    let row = json!({
        "name": "näme", "copies": 2, "fail": false, "file": [0, 255, 7],
        "score": -1.5, "extra": {"a": [1]}, "vector": [3.0, 4.0], "note": "n",
    });
    let documents = harness(json!({})).row(row).expect("it does not fail");
    assert_eq!(documents.len(), 2);
    assert_eq!(
        documents[1],
        json!({
            "name": "näme", "copy": 1, "bytes": [0, 255, 7], "score": -1.5, "extra": {"a": [1]},
            "list": [1, 2], "note": "n", "even": false, "dense": [3.0, 4.0],
            "sparse": {"indices": [1, 9], "values": [1.0, 2.0]},
            "multi": [[1.0, 2.0], [3.0, 4.0]],
        })
    );
}

#[test]
fn what_is_missing_is_null_and_its_neighbours_are_not() {
    let mut rows = Vec::new();
    for number in 0..20 {
        let mut row = row(&format!("row {number}"), 1, false);
        if number % 3 == 0 {
            row["score"] = json!(f64::from(number));
            row["note"] = json!(format!("note {number}"));
            row["extra"] = json!([number]);
        }
        rows.push(row);
    }
    let answers = harness(json!({})).rows(&rows);
    for (row, answer) in rows.iter().zip(answers) {
        let documents = answer.expect("no row fails");
        for field in ["name", "score", "note", "extra"] {
            assert_eq!(documents[0][field], row[field], "{field} of {row}");
        }
    }
}

#[test]
fn a_rejected_row_takes_its_documents_back_and_nothing_else() {
    let rows: Vec<Value> =
        (0..50).map(|number| row(&number.to_string(), number % 4, number % 5 == 0)).collect();
    let answers = harness(json!({})).rows(&rows);
    for (number, answer) in answers.into_iter().enumerate() {
        if number % 5 == 0 {
            let reject = answer.expect_err("every fifth fails");
            assert_eq!(
                (reject.code, reject.message),
                ("asked_to".into(), format!("{number} failed"))
            );
        } else {
            let documents = answer.expect("the others do not");
            assert_eq!(documents.len(), number % 4);
            for (copy, document) in documents.iter().enumerate() {
                assert_eq!(document["name"], number.to_string());
                assert_eq!(document["copy"], copy);
                assert_eq!(document["sparse"]["values"], json!([copy as f64, 2.0]));
            }
        }
    }
}

/// Runs names with so many copies that the output is handed over within a tile.
fn run(tile: u32, copies: i64) -> NativeOutput {
    let names = "abcdefgh";
    let offsets: Vec<u32> = (0..=8).collect();
    let copies: Vec<u8> = (0..8).flat_map(|_| copies.to_le_bytes()).collect();
    let none = NativeColumn::fixed(quarry_extractor::FieldType::F64, 8, &[0; 64]);
    let columns = [
        NativeColumn::utf8(&offsets, names),
        NativeColumn::fixed(quarry_extractor::FieldType::I64, 8, &copies),
        NativeColumn::fixed(quarry_extractor::FieldType::Bool, 1, &[0, 0, 1, 0, 0, 0, 0, 1]),
        NativeColumn::blob(&offsets, names.as_bytes()),
        none.with_validity(&[0]),
        NativeColumn::json(&[0; 9], "").with_validity(&[0]),
        NativeColumn::fixed(quarry_extractor::FieldType::Dense, 8, &[0; 64]).with_validity(&[0]),
        NativeColumn::utf8(&offsets, names).with_validity(&[0b1010_1010]),
    ];
    let mut output = NativeOutput::default();
    let mut extractor =
        NativeExtractor::<Everything>::new(&json!({})).expect("valid").with_tile(tile);
    // Twice: nothing may be left over.
    extractor.run(&columns, 8, &mut output);
    extractor.run(&columns, 8, &mut output);
    output
}

#[test]
fn the_output_does_not_depend_on_how_it_was_cut() {
    let whole = run(8, 10_000);
    assert_eq!(whole.counts, [10_000, 10_000, 0, 10_000, 10_000, 10_000, 10_000, 0]);
    assert_eq!(whole.documents(), 60_000);
    assert_eq!(whole.rejects.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 7]);
    for tile in [1, 3, 5] {
        let cut = run(tile, 10_000);
        assert_eq!(cut.counts, whole.counts);
        assert_eq!(cut.rejects, whole.rejects);
        for (left, right) in cut.columns.iter().zip(&whole.columns) {
            assert!(left.data() == right.data(), "{}", left.name());
            assert!(left.offsets() == right.offsets(), "{}", left.name());
            assert!(left.indices() == right.indices(), "{}", left.name());
            assert!(left.nulls() == right.nulls(), "{}", left.name());
        }
    }
    let note = whole.column("note").expect("declared");
    let mut validity = Vec::new();
    note.validity(&mut validity);
    assert_eq!(note.len(), 60_000);
    assert_eq!(validity.len(), 7_500);
    assert_eq!(validity[1_249..1_252], [0, 0xff, 0xff], "10,000 nulls, then 10,000 values");
}
