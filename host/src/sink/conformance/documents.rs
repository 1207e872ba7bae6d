//! Writing and reading documents.

use super::*;

pub(super) fn documents_come_back_as_they_were_written(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let payload = json!({
        "text": "Grüße, 世界 \u{1F600}\u{0000}\"\\\n", "": "empty key", "a.b": "dot", "ключ": [],
        "big": i64::MAX, "small": i64::MIN, "over 2^53": 9_007_199_254_740_993_i64,
        "floats": [0.1, -0.0, 1.0, 1e300, 5e-324, 0.30000000000000004, 123456.78901234567],
        "nothing": null, "yes": true, "object": {}, "list": [[], {}, [null, 1, "x"]],
        "nested": { "a": { "b": [{ "c": 1 }, { "c": 2 }] } },
    });
    let values = [f32::MIN_POSITIVE, -1.0e-40, 0.1, 16_777_217.0];
    let full = with(document(1, payload), "words", sparse(&[(0, -1.5), (9, 0.1), (u32::MAX, 3.0)]));
    let full = with(full, "rows", Vector::Multi(vec![vec![0.1, 0.2], vec![-0.3, 1e-20]]));
    let full = with(full, "far", dense(&values));
    let mut plain = document(2, json!({}));
    plain.vectors = vec![("dense".into(), dense(&values)), ("words".into(), sparse(&[]))];
    stage.write(vec![full.clone(), plain.clone()])?;
    let found = stage.get(&[id(2), id(99), id(1)])?;
    ensure!(found.len() == 2, "two of three documents exist, {} came back", found.len());
    ensure!(found[1].payload == full.payload, "a payload became {:?}", found[1].payload);
    ensure!(found[1] == full, "vectors became {:?}", found[1].vectors);
    ensure!(found[0].payload == plain.payload, "a payload became {:?}", found[0].payload);
    let dense_only = &plain.vectors[..1];
    let kept = found[0].vectors == plain.vectors || found[0].vectors == dense_only;
    ensure!(kept, "vectors became {:?}", found[0].vectors);
    let bare = stage.sink()?.get(&stage.namespace, &[id(1)], false)?;
    ensure!(bare.iter().all(|it| it.vectors.is_empty()), "vectors came without being asked for");
    Ok(())
}

pub(super) fn a_second_write_of_an_id_replaces_the_first(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let first = with(document(1, json!({ "a": 1, "b": 2 })), "words", sparse(&[(1, 1.0)]));
    stage.write(vec![first])?;
    let second = document(1, json!({ "a": 3 }));
    stage.write(vec![second.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [second], "a replaced document became {found:?}");
    let hits = stage.search(search("words", sparse(&[(1, 1.0)]), 10))?;
    ensure!(hits.is_empty(), "a vector that was not written again is still found");
    Ok(())
}

pub(super) fn a_repeated_write_does_not_double(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    for _ in 0..3 {
        stage.write((0..300).map(|n| document(n, json!({ "n": n }))).collect())?;
    }
    let twice = vec![document(5, json!({ "n": 5 })), document(5, json!({ "n": 5 }))];
    stage.write(twice)?;
    let count = stage.count(None)?;
    ensure!(count == 300, "300 documents written four times are {count}");
    Ok(())
}

pub(super) fn threads_write_side_by_side(stage: &mut Stage) -> Outcome {
    let (sink, namespace) = (stage.sink()?, &stage.namespace);
    let write = |thread: u64| -> Result<()> {
        // Each brings a vector of its own, and all bring the rest.
        let name = format!("own-{thread}");
        let own = Layout::new(vec![VectorSpec { name: name.clone(), kind: FOUR }], Vec::new())?;
        sink.prepare(namespace, &layout()?)?;
        sink.prepare(namespace, &own)?;
        for start in (0..500).step_by(100) {
            let documents = (start..start + 100).map(|n| {
                with(document(thread * 250 + n, json!({ "n": n })), &name, dense(&[1.0; 4]))
            });
            sink.upsert(namespace, documents.collect())?;
        }
        sink.flush(namespace)
    };
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let write = &write;
                scope.spawn(move || write(thread))
            })
            .collect();
        let panicked = |_| Error::internal("a thread panicked");
        threads.into_iter().try_for_each(|thread| thread.join().map_err(panicked)?)
    })?;
    let count = stage.count(None)?;
    ensure!(count == 1_250, "ranges of 500 that overlap by half are {count} documents");
    let vectors = stage.sink()?.layout(&stage.namespace)?.unwrap_or_default().vectors.len();
    ensure!(vectors == layout()?.vectors.len() + 4, "{vectors} vectors came of it");
    Ok(())
}

pub(super) fn one_bad_document_keeps_all_out(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let plain = |n| document(n, json!({}));
    let mut no_lineage = plain(2);
    no_lineage.payload.remove("_quarry");
    let mut twice = plain(2);
    twice.vectors.push(("dense".into(), dense(&[0.0; 4])));
    let ragged = SparseVector { indices: vec![1, 2], values: vec![1.0] };
    let bad = [
        ("a dimension too few", only(2, "dense", dense(&[1.0; 3]))),
        ("an unknown vector", only(2, "other", dense(&[1.0; 4]))),
        ("a dense vector as sparse", only(2, "words", dense(&[1.0; 4]))),
        ("a sparse vector as dense", only(2, "dense", sparse(&[(1, 1.0)]))),
        ("a NaN", only(2, "dense", dense(&[0.0, f32::NAN, 0.0, 0.0]))),
        ("an infinity", only(2, "dense", dense(&[0.0, 0.0, f32::NEG_INFINITY, 0.0]))),
        ("a number that overflows scores", only(2, "dense", dense(&[0.0, 0.0, 0.0, 2e16]))),
        ("unsorted indices", only(2, "words", sparse(&[(2, 1.0), (1, 1.0)]))),
        ("an index twice", only(2, "words", sparse(&[(2, 1.0), (2, 1.0)]))),
        ("a sparse NaN", only(2, "words", sparse(&[(2, f32::NAN)]))),
        ("fewer values than indices", only(2, "words", Vector::Sparse(ragged))),
        ("no rows", only(2, "rows", Vector::Multi(Vec::new()))),
        ("rows of two lengths", only(2, "rows", Vector::Multi(vec![vec![1.0; 2], vec![1.0; 3]]))),
        ("a NaN in a row", only(2, "rows", Vector::Multi(vec![vec![1.0, f32::NAN]]))),
        ("no lineage", no_lineage),
        ("a name twice", twice),
        ("an integer above i64", document(2, json!({ "n": u64::MAX }))),
    ];
    for (what, document) in bad {
        let documents = vec![plain(1), document, plain(3)];
        refused(stage.sink()?.upsert(&stage.namespace, documents), Code::Invalid, what)?;
        let count = stage.count(None)?;
        ensure!(count == 0, "{what}: {count} documents of a refused write were stored");
    }
    stage.write(vec![plain(1)])
}

pub(super) fn the_deepest_payload_comes_back_and_a_deeper_one_is_refused(
    stage: &mut Stage,
) -> Outcome {
    stage.prepare()?;
    let nested = |levels: usize| (1..levels).fold(json!("x"), |inner, _| json!({ "a": inner }));
    let deepest = document(1, json!({ "deep": nested(PAYLOAD_DEPTH_MAX) }));
    stage.write(vec![deepest.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [deepest], "the deepest payload did not come back");
    let deeper = document(2, json!({ "deep": nested(PAYLOAD_DEPTH_MAX + 1) }));
    let result = stage.sink()?.upsert(&stage.namespace, vec![deeper]);
    refused(result, Code::Invalid, "a deeper payload")
}

pub(super) fn writing_nothing_is_fine(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(Vec::new())?;
    ensure!(stage.get(&[])?.is_empty(), "no ids found something");
    let none = stage.sink()?.delete_stale(&stage.namespace, "chunks", &[], 9)?;
    ensure!(none == 0, "no objects deleted something");
    stage.sink()?.flush(&stage.namespace)?;
    Ok(stage.sink()?.optimize(&stage.namespace)?)
}

pub(super) fn five_thousand_documents_in_one_call_all_arrive(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let body = "lorem ipsum ".repeat(80);
    stage.write((0..5_000).map(|n| document(n, json!({ "n": n, "body": body }))).collect())?;
    stage.sink()?.flush(&stage.namespace)?;
    let count = stage.count(None)?;
    ensure!(count == 5_000, "5000 documents are {count}");
    let last = stage.get(&[id(4_999)])?;
    let same = last.iter().all(|it| it.payload["n"] == 4_999 && it.payload["body"] == body);
    ensure!(last.len() == 1 && same, "the last document became {last:?}");
    Ok(())
}

pub(super) fn a_vector_of_zeros_is_stored_and_scores_zero(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let zero = only(1, "angle", dense(&[0.0; 4]));
    let one = only(2, "angle", dense(&[0.0, 0.0, 2.0, 0.0]));
    stage.write(vec![zero.clone(), one])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [zero], "a vector of zeros became {found:?}");
    let hits = stage.search(search("angle", dense(&[0.0, 1.0, 1.0, 0.0]), 10))?;
    ensure!(numbers(&hits) == [2, 1], "the order is {:?}", numbers(&hits));
    ensure!(hits[1].score == 0.0, "a vector of zeros scores {}", hits[1].score);
    let hits = stage.search(search("angle", dense(&[0.0; 4]), 10))?;
    let zero = hits.iter().all(|hit| hit.score == 0.0);
    ensure!(hits.len() == 2 && zero, "a query of zeros scores {hits:?}");
    Ok(())
}

pub(super) fn pages_come_in_order_and_lose_nothing(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write((0..257).rev().map(|n| document(n, json!({ "odd": n % 2 == 1 }))).collect())?;
    for (filter, expected) in [
        (None, (0..257).collect::<Vec<u64>>()),
        (
            Some(all(vec![field("odd", Operator::Eq, json!(true))])),
            (0..257).filter(|n| n % 2 == 1).collect(),
        ),
    ] {
        let mut scroll = Scroll { filter, from: None, limit: 50, with_vectors: true };
        let mut seen = Vec::new();
        loop {
            let page = stage.sink()?.scroll(&stage.namespace, &scroll)?;
            ensure!(page.documents.len() <= 50, "a page of 50 has {}", page.documents.len());
            for document in page.documents {
                ensure!(document.vectors.len() == 1, "a document came without its vectors");
                seen.push(number(&document));
            }
            ensure!(seen.len() <= 257, "the pages do not end");
            match page.next {
                Some(next) => scroll.from = Some(next),
                None => break,
            }
        }
        ensure!(seen == expected, "the pages hold {seen:?}");
    }
    let none = Scroll { limit: 0, ..Scroll::default() };
    refused(stage.sink()?.scroll(&stage.namespace, &none), Code::Invalid, "a page of 0")
}

fn descended(number: u64, collection: &str, object: &str, run: u64) -> Document {
    let mut document = document(number, json!({}));
    let lineage = json!({ "collection": collection, "object": object, "run": run });
    document.payload.insert("_quarry".into(), lineage);
    document
}

pub(super) fn the_documents_of_a_batch_go_and_no_others(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let [first, second] = [1, 2].map(|number| BatchId::from_uuid(Uuid::from_u128(number)));
    let written = |number: u64, collection: &str, run: u64, batch: &BatchId| {
        let mut document = descended(number, collection, "obj_a", run);
        document.payload["_quarry"]["batch"] = json!(batch.as_str());
        document
    };
    stage.write(vec![
        written(1, "chunks", 1, &first),
        written(2, "chunks", 2, &second),
        written(3, "other", 2, &second),
        // Taken up again after another batch had written.
        written(4, "chunks", 3, &first),
        written(5, "chunks", 4, &second),
        descended(6, "chunks", "obj_a", 4),
    ])?;
    let deleted = stage.sink()?.delete_batch(&stage.namespace, &second)?;
    ensure!(deleted == 3, "2, 3 and 5 are of the second batch, {deleted} were deleted");
    let left = matching(stage, all(Vec::new()))?;
    ensure!(left == [1, 4, 6], "{left:?} are left");
    let deleted = stage.sink()?.delete_batch(&stage.namespace, &second)?;
    ensure!(deleted == 0, "deleting again deleted {deleted}");
    Ok(())
}

pub(super) fn stale_documents_of_the_named_objects_go_and_no_others(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let of = descended;
    stage.write(vec![
        of(1, "chunks", "obj_a", 1),
        of(2, "chunks", "obj_a", 2),
        of(3, "chunks", "obj_b", 1),
        of(4, "other", "obj_a", 1),
        of(5, "chunks", "obj_c", 1),
        of(6, "chunks", "obj_a", 3),
    ])?;
    let objects = ["obj_a".to_string(), "obj_c".to_string(), "obj_missing".to_string()];
    let delete = |run| {
        Ok::<_, Failure>(stage.sink()?.delete_stale(&stage.namespace, "chunks", &objects, run)?)
    };
    let deleted = delete(1)?;
    ensure!(deleted == 0, "nothing is older than run 1, {deleted} were deleted");
    let deleted = delete(2)?;
    ensure!(deleted == 2, "documents 1 and 5 are stale, {deleted} were deleted");
    let left = matching(stage, all(Vec::new()))?;
    ensure!(left == [2, 3, 4, 6], "{left:?} are left");
    let deleted = delete(2)?;
    ensure!(deleted == 0, "deleting again deleted {deleted}");
    Ok(())
}

pub(super) fn the_named_documents_go_and_no_others(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write((1..=4).map(|n| document(n, json!({}))).collect())?;
    for _ in 0..2 {
        stage.sink()?.delete(&stage.namespace, &[id(2), id(4), id(9)])?;
        let left = matching(stage, all(Vec::new()))?;
        ensure!(left == [1, 3], "{left:?} are left");
    }
    Ok(stage.sink()?.delete(&stage.namespace, &[])?)
}

pub(super) fn fields_are_set_and_taken_away_and_the_rest_stays(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let before = |n| document(n, json!({ "kept": [1], "gone": "x", "a.b": 1, "old": { "x": 1 } }));
    stage.write((1..=3).map(before).collect())?;
    let fields = json!({ "kind": "new", "old": { "y": 2 }, "gone": null, "a.b": null, "no": null });
    let Value::Object(fields) = fields else { return Ok(()) };
    stage.sink()?.set_fields(&stage.namespace, &[id(1), id(9), id(3)], &fields)?;
    let after = |n| document(n, json!({ "kept": [1], "kind": "new", "old": { "y": 2 } }));
    let found = stage.get(&[id(1), id(2), id(3)])?;
    ensure!(found == [after(1), before(2), after(3)], "the documents became {found:?}");
    let new = field("kind", Operator::Eq, json!("new"));
    let found = matching(stage, all(vec![new]))?;
    ensure!(found == [1, 3], "an index over the field finds {found:?}");
    let lineage = json!({ "_quarry": { "collection": "other" } });
    let Value::Object(lineage) = lineage else { return Ok(()) };
    let result = stage.sink()?.set_fields(&stage.namespace, &[id(1)], &lineage);
    refused(result, Code::Invalid, "another lineage")
}
