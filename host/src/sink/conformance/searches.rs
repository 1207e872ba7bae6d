//! Ranking.

use super::*;

pub(super) fn a_search_ranks_by_the_distance(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let at = |n: u64, x: f32, y: f32| {
        let values = dense(&[x, y, 0.0, 0.0]);
        let document = only(n, "angle", values.clone());
        with(with(document, "far", values.clone()), "dense", values)
    };
    stage.write(vec![at(1, 1.0, 0.0), at(2, 4.0, 4.0), at(3, 0.0, 2.0), at(4, 8.0, 1.0)])?;
    let query = dense(&[1.0, 0.1, 0.0, 0.0]);
    for (name, expected, best) in [
        ("dense", [4, 2, 1, 3], 8.1),
        ("angle", [4, 1, 2, 3], 0.999_69),
        ("far", [1, 3, 2, 4], 0.1),
    ] {
        let hits = stage.search(search(name, query.clone(), 10))?;
        ensure!(numbers(&hits) == expected, "by `{name}` the order is {:?}", numbers(&hits));
        let score = hits[0].score;
        ensure!((score - best).abs() < 1e-3, "by `{name}` the best scores {score}, not {best}");
        let two = stage.search(search(name, query.clone(), 2))?;
        ensure!(two == hits[..2], "a limit of 2 gives {two:?}");
    }
    let hits = stage.search(search("dense", query.clone(), 1))?;
    let whole = hits[0].document.payload.contains_key("_quarry");
    ensure!(whole && hits[0].document.vectors.is_empty(), "a hit is {:?}", hits[0]);
    ensure!(stage.search(search("dense", query, 0))?.is_empty(), "a limit of 0 finds something");
    Ok(())
}

pub(super) fn a_search_heeds_the_filter(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let kind = |n: u64| if n < 5 { "low" } else { "high" };
    stage.write((0..10).map(|n| document(n, json!({ "kind": kind(n) }))).collect())?;
    let filter = Some(all(vec![field("kind", Operator::Eq, json!("low"))]));
    let query = search("dense", dense(&[1.0, 0.0, 0.0, 0.0]), 3);
    let hits = stage.search(Search { filter: filter.clone(), ..query.clone() })?;
    ensure!(numbers(&hits) == [4, 3, 2], "filtered hits are {:?}", numbers(&hits));
    let fused = [query.vectors[0].clone(), ("dense".into(), dense(&[1.0, 1.0, 0.0, 0.0]))];
    let hits = stage.search(Search { vectors: fused.to_vec(), filter, limit: 3 })?;
    ensure!(numbers(&hits) == [4, 3, 2], "filtered fused hits are {:?}", numbers(&hits));
    Ok(())
}

pub(super) fn a_sparse_search_ranks_by_the_dot_product(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        only(1, "words", sparse(&[(1, 1.0), (5, 1.0)])),
        only(2, "words", sparse(&[(5, 3.0)])),
        only(3, "words", sparse(&[(2, 9.0)])),
        only(4, "dense", dense(&[1.0; 4])),
    ])?;
    let hits = stage.search(search("words", sparse(&[(1, 4.0), (5, 1.0)]), 10))?;
    ensure!(numbers(&hits) == [1, 2], "sparse hits are {:?}", numbers(&hits));
    let scores: Vec<_> = hits.iter().map(|hit| hit.score).collect();
    ensure!(scores == [5.0, 3.0], "sparse scores are {scores:?}");
    let hits = stage.search(search("words", sparse(&[]), 10))?;
    ensure!(hits.is_empty(), "a query without words finds {:?}", numbers(&hits));
    Ok(())
}

pub(super) fn a_multi_vector_search_ranks_by_the_best_rows(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        only(1, "rows", Vector::Multi(vec![vec![1.0, 0.0], vec![0.0, 1.0]])),
        only(2, "rows", Vector::Multi(vec![vec![1.5, 0.0]])),
        only(3, "rows", Vector::Multi(vec![vec![0.1, 0.1]; 30])),
    ])?;
    let query = Vector::Multi(vec![vec![1.0, 0.0], vec![0.0, 1.0]]);
    let hits = stage.search(search("rows", query, 10))?;
    ensure!(numbers(&hits) == [1, 2, 3], "multi-vector hits are {:?}", numbers(&hits));
    ensure!((hits[0].score - 2.0).abs() < 1e-6, "the best scores {}", hits[0].score);
    Ok(())
}

pub(super) fn two_lists_are_fused_by_reciprocal_rank(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let both = |n: u64, x: f32, word: f32| {
        with(only(n, "dense", dense(&[x, 0.0, 0.0, 0.0])), "words", sparse(&[(1, word)]))
    };
    // Ranks by dense: 1, 2, 3, 4; by words: 3, 2, 4, 1; document 5 is in one list only.
    stage.write(vec![
        both(1, 4.0, 1.0),
        both(2, 3.0, 3.0),
        both(3, 2.0, 4.0),
        both(4, 1.0, 2.0),
        only(5, "words", sparse(&[(1, 0.5)])),
    ])?;
    let vectors = vec![
        ("dense".to_string(), dense(&[1.0, 0.0, 0.0, 0.0])),
        ("words".to_string(), sparse(&[(1, 1.0)])),
    ];
    let hits = stage.search(Search { vectors: vectors.clone(), filter: None, limit: 10 })?;
    ensure!(numbers(&hits) == [3, 1, 2, 4, 5], "fused hits are {:?}", numbers(&hits));
    let expected = [0.25 + 0.5, 0.5 + 0.2, 1.0 / 3.0 + 1.0 / 3.0, 0.2 + 0.25, 1.0 / 6.0];
    for (hit, expected) in hits.iter().zip(expected) {
        let (n, score) = (numbers(std::slice::from_ref(hit))[0], hit.score);
        ensure!((score - expected).abs() < 1e-5, "document {n} scores {score}, not {expected}");
    }
    let two = stage.search(Search { vectors, filter: None, limit: 2 })?;
    ensure!(two == hits[..2], "a limit of 2 gives {two:?}");
    Ok(())
}

pub(super) fn equal_scores_come_in_the_order_of_ids(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let same = |n: u64| {
        let document = only(n, "dense", dense(&[1.0, 0.0, 0.0, 0.0]));
        with(document, "words", sparse(&[(1, 1.0)]))
    };
    stage.write([3, 9, 1, 7, 5].map(same).to_vec())?;
    let hits = stage.search(search("dense", dense(&[1.0; 4]), 10))?;
    ensure!(numbers(&hits) == [1, 3, 5, 7, 9], "equal scores come as {:?}", numbers(&hits));
    // Two documents that are first in one list and second in the other, forty times over.
    let swap = |n: u64, x: f32, word: f32| {
        with(only(n, "dense", dense(&[x, 0.0, 0.0, 0.0])), "words", sparse(&[(2, word)]))
    };
    stage.write(vec![swap(20, 9.0, 8.0), swap(10, 8.0, 9.0)])?;
    for _ in 0..40 {
        let vectors = vec![
            ("dense".to_string(), dense(&[1.0, 0.0, 0.0, 0.0])),
            ("words".to_string(), sparse(&[(2, 1.0)])),
        ];
        let hits = stage.search(Search { vectors, filter: None, limit: 1 })?;
        ensure!(numbers(&hits) == [10], "of two equal documents {:?} is first", numbers(&hits));
    }
    Ok(())
}

pub(super) fn a_search_with_a_bad_query_is_refused(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![document(1, json!({}))])?;
    for (what, vectors) in [
        ("no vector", Vec::new()),
        ("an unknown vector", vec![("other".to_string(), dense(&[1.0; 4]))]),
        ("a dimension too many", vec![("dense".to_string(), dense(&[1.0; 5]))]),
        ("a NaN", vec![("dense".to_string(), dense(&[f32::NAN; 4]))]),
        ("a sparse query for a dense vector", vec![("dense".to_string(), sparse(&[(1, 1.0)]))]),
    ] {
        let query = Search { vectors, filter: None, limit: 1 };
        refused(stage.sink()?.search(&stage.namespace, &query), Code::Invalid, what)?;
    }
    let endless = search("dense", dense(&[1.0; 4]), 10_001);
    refused(stage.sink()?.search(&stage.namespace, &endless), Code::Invalid, "a limit of 10001")
}
