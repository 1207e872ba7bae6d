//! Making, extending, reopening and removing a namespace.

use super::*;

pub(super) fn preparing_twice_changes_nothing(stage: &mut Stage) -> Outcome {
    let absent = stage.sink()?.layout(&stage.namespace)?;
    ensure!(absent.is_none(), "a namespace exists before it is prepared: {absent:?}");
    for round in 1..=2 {
        stage.prepare()?;
        let found = stage.sink()?.layout(&stage.namespace)?;
        ensure!(found == Some(layout()?), "after round {round} the layout is {found:?}");
        stage.write(vec![document(1, json!({}))])?;
    }
    ensure!(stage.count(None)? == 1, "the point is gone after preparing again");
    Ok(())
}

pub(super) fn preparing_adds_what_is_missing_and_keeps_the_points(stage: &mut Stage) -> Outcome {
    let spec = |name: &str, kind| VectorSpec { name: name.into(), kind };
    let small = Layout::new(vec![spec("dense", FOUR)], Vec::new())?;
    stage.sink()?.prepare(&stage.namespace, &small)?;
    stage.write((1..=20).map(|n| document(n, json!({ "kind": "old" }))).collect())?;
    stage.prepare()?;
    let found = stage.sink()?.layout(&stage.namespace)?;
    ensure!(found == Some(layout()?), "the extended layout is {found:?}");
    ensure!(stage.count(None)? == 20, "points were lost by adding vectors");
    let added = with(document(21, json!({ "kind": "new" })), "words", sparse(&[(7, 2.0)]));
    let added = with(added, "rows", Vector::Multi(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));
    stage.write(vec![with(added.clone(), "angle", dense(&[0.0, 0.6, 0.8, 0.0]))])?;
    let hits = stage.search(search("words", sparse(&[(7, 1.0)]), 10))?;
    ensure!(numbers(&hits) == [21], "the added vector finds {:?}", numbers(&hits));
    let old = stage.get(&[id(3)])?;
    ensure!(old == [document(3, json!({ "kind": "old" }))], "an old point became {old:?}");
    let filter = all(vec![field("kind", Operator::Eq, json!("old"))]);
    ensure!(stage.count(Some(&filter))? == 20, "the added index misses old points");
    stage.prepare()
}

pub(super) fn preparing_refuses_a_vector_that_changed(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    for kind in [
        VectorKind::Dense { dimension: 5, distance: Distance::Dot },
        VectorKind::Dense { dimension: 4, distance: Distance::Cosine },
        VectorKind::Multi { dimension: 4, distance: Distance::Dot },
        VectorKind::Sparse,
    ] {
        let changed = Layout::new(vec![VectorSpec { name: "dense".into(), kind }], Vec::new())?;
        let result = stage.sink()?.prepare(&stage.namespace, &changed);
        refused(result, Code::Invalid, &format!("changing `dense` to {kind}"))?;
    }
    let found = stage.sink()?.layout(&stage.namespace)?;
    ensure!(found == Some(layout()?), "a refused layout left {found:?}");
    Ok(())
}

pub(super) fn a_namespace_without_vectors_holds_documents(stage: &mut Stage) -> Outcome {
    stage.sink()?.prepare(&stage.namespace, &Layout::default())?;
    let bare = Document { vectors: Vec::new(), ..document(1, json!({ "a": 1 })) };
    stage.write(vec![bare.clone()])?;
    let found = stage.get(&[id(1)])?;
    ensure!(found == [bare], "a document without vectors became {found:?}");
    refused(
        stage.sink()?.upsert(&stage.namespace, vec![document(2, json!({}))]),
        Code::Invalid,
        "a vector in a namespace without vectors",
    )
}

pub(super) fn an_unknown_namespace_is_not_found(stage: &mut Stage) -> Outcome {
    let (sink, namespace) = (stage.sink()?, &stage.namespace);
    refused(sink.upsert(namespace, vec![document(1, json!({}))]), Code::NotFound, "a write")?;
    refused(sink.flush(namespace), Code::NotFound, "a flush")?;
    refused(sink.optimize(namespace), Code::NotFound, "optimizing")?;
    refused(sink.count(namespace, None), Code::NotFound, "a count")?;
    refused(sink.get(namespace, &[id(1)], false), Code::NotFound, "a read")?;
    let scroll = Scroll { limit: 1, ..Scroll::default() };
    refused(sink.scroll(namespace, &scroll), Code::NotFound, "a page")?;
    let stale = sink.delete_stale(namespace, "chunks", &["obj_1".into()], 2);
    refused(stale, Code::NotFound, "deleting")?;
    let query = search("dense", dense(&[1.0; 4]), 1);
    refused(sink.search(namespace, &query), Code::NotFound, "a search")
}

pub(super) fn what_was_flushed_is_there_after_reopening(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let all: Vec<_> = (0..500).map(|n| document(n, json!({ "n": n, "kind": "x" }))).collect();
    stage.write(all[..300].to_vec())?;
    stage.sink()?.flush(&stage.namespace)?;
    stage.write(all[300..].to_vec())?;
    let before = stage.sink()?.layout(&stage.namespace)?;
    stage.reopen()?;
    let after = stage.sink()?.layout(&stage.namespace)?;
    ensure!(before == after, "the layout became {after:?}");
    let ids: Vec<_> = (0..500).map(id).collect();
    let found = stage.get(&ids)?;
    ensure!(found == all, "{} of 500 documents are as they were", found.len());
    stage.write(vec![document(500, json!({}))])?;
    ensure!(stage.count(None)? == 501, "a write after reopening is lost");
    Ok(())
}

pub(super) fn removing_leaves_nothing_behind(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![document(1, json!({}))])?;
    for _ in 0..2 {
        stage.sink()?.remove(&stage.namespace)?;
        let found = stage.sink()?.layout(&stage.namespace)?;
        ensure!(found.is_none(), "a removed namespace still has {found:?}");
    }
    stage.prepare()?;
    ensure!(stage.count(None)? == 0, "a namespace made again has old points");
    Ok(())
}
