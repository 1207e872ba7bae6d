use super::{collection, document, id, stage, write};
use crate::support::api::Bed;
use serde_json::{Value, json};

const LIST: &str = "/v1/collections/pages/documents/list";

fn titles(list: &Value) -> Vec<&str> {
    list["results"].as_array().unwrap().iter().map(|it| it["title"].as_str().unwrap()).collect()
}

/// All pages, until there is no cursor.
fn pages(bed: &Bed, body: Value) -> Vec<Vec<String>> {
    let (mut body, mut all) = (body, Vec::new());
    loop {
        let page = bed.post(LIST, body.clone()).ok();
        all.push(titles(&page).into_iter().map(str::to_string).collect());
        assert!(all.len() < 100, "the pages do not end");
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => body["cursor"] = next.into(),
            None => return all,
        }
    }
}

fn numbered(count: u64) -> Vec<Value> {
    (0..count).map(|n| json!({ "title": format!("t{n}"), "n": n, "odd": n % 2 == 1 })).collect()
}

#[test]
fn pages_follow_each_other_and_lose_nothing() {
    let (bed, space) = stage(numbered(25));
    collection(&bed, &space, "others");
    write(&bed, &space, vec![document("others", 99, None, json!({ "title": "not mine" }))]);
    let all = pages(&bed, json!({ "limit": 7 }));
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7, 4]);
    let mut flat = all.concat();
    let offset = bed.post(LIST, json!({ "limit": 7, "offset": 7 })).ok();
    assert_eq!(titles(&offset), all[1]);
    let page = bed.get("/v1/collections/pages/documents?limit=7&page=2&include_total=true").ok();
    assert_eq!(titles(&page), all[1]);
    assert_eq!(
        (&page["total_documents"], &page["pagination"]["total_pages"]),
        (&json!(25), &json!(4))
    );
    let mut parts = Vec::new();
    for index in 0..3 {
        let part = json!({ "limit": 4, "partition": { "index": index, "count": 3 } });
        parts.extend(pages(&bed, part).concat());
    }
    flat.sort();
    parts.sort();
    assert_eq!(flat.len(), 25);
    assert_eq!(parts, flat);
    bed.post(LIST, json!({ "partition": { "index": 3, "count": 3 } })).refused(422);
    bed.post(LIST, json!({ "cursor": "AAAA" })).refused(422);
}

#[test]
fn filters_mean_the_same_whether_the_engine_or_this_side_decides() {
    let (bed, _) = stage(vec![
        json!({ "title": "a", "brand": "Nike", "kind": "shoe", "tags": ["Red", "old"], "n": 1 }),
        json!({ "title": "b", "brand": "nike", "kind": "shoe", "tags": [], "n": 2 }),
        json!({ "title": "c", "brand": "Puma", "kind": "hat", "n": 3,
            "parts": [{ "of": "Felt" }] }),
    ]);
    let check = |filters: Value, expected: &[&str]| {
        let list = bed.post(LIST, json!({ "filters": filters })).ok();
        let mut found = titles(&list);
        found.sort_unstable();
        assert_eq!(found, expected, "{filters}");
    };
    let is = |operator: &str, field: &str, value: Value| {
        json!({ "field": field,
        "operator": operator, "value": value })
    };
    let blind =
        |list: &str, condition: Value| json!({ list: [condition], "case_sensitive": false });
    check(json!({ "AND": [is("eq", "brand", json!("Nike"))] }), &["a"]);
    check(json!({ "brand": "Nike" }), &["a"]);
    check(blind("AND", is("eq", "brand", json!("NIKE"))), &["a", "b"]);
    // As the generated client writes it.
    let mut written = is("eq", "brand", json!("NIKE"));
    written["case_sensitive"] = json!(false);
    check(blind("AND", written), &["a", "b"]);
    check(blind("NOT", is("eq", "brand", json!("NIKE"))), &["c"]);
    check(blind("AND", is("eq", "tags", json!("red"))), &["a"]);
    check(blind("AND", is("in", "brand", json!(["PUMA", "x"]))), &["c"]);
    check(blind("AND", is("gte", "n", json!(2))), &["b", "c"]);
    check(json!({ "AND": [is("eq", "parts[].of", json!("Felt"))] }), &["c"]);
    check(blind("AND", is("eq", "parts[].of", json!("felt"))), &["c"]);
    check(json!({ "AND": [is("regex", "brand", json!("^[Np]"))] }), &["a"]);
    check(
        json!({ "OR": [is("ends_with", "brand", json!("ma")), is("eq", "n", json!(1))] }),
        &["a", "c"],
    );
    check(json!({ "AND": [is("exists", "tags", json!(true))] }), &["a"]);
    check(
        json!({ "AND": [is("eq", "kind", json!("shoe")), blind("OR", is("contains", "brand",
            json!("IK")))] }),
        &["a", "b"],
    );
    check(json!({ "AND": [is("eq", "document_id", json!(id(2).to_string()))] }), &["b"]);
    check(blind("AND", is("eq", "root_object_id", json!("obj_1"))), &["a", "b", "c"]);
    check(blind("AND", is("eq", "_internal.lineage.source_object_id", json!("obj_2"))), &[]);
    let wrong = json!({ "AND": [is("regex", "brand", json!("("))] });
    bed.post(LIST, json!({ "filters": wrong })).refused(422);
    bed.post(LIST, json!({ "filters": { "AND": [is("gt", "n", json!("much"))] } })).refused(422);
    let found = bed.get("/v1/collections/pages/documents?search=PUM").ok();
    assert_eq!(titles(&found), ["c"]);
    let text = "/v1/collections/pages/documents?filters=%7B%22n%22%3A3%7D";
    assert_eq!(titles(&bed.get(text).ok()), ["c"]);
    bed.get("/v1/collections/pages/documents?filters=%5B").refused(422);
}

#[test]
fn a_sorted_list_goes_on_with_its_cursor() {
    let (bed, _) = stage(numbered(11));
    let sort = json!({ "field": "n", "direction": "desc" });
    let all = pages(&bed, json!({ "limit": 4, "sort": sort }));
    let expected: Vec<String> = (0..11).rev().map(|n| format!("t{n}")).collect();
    assert_eq!(all.concat(), expected);
    let page = bed.get("/v1/collections/pages/documents?sort=n:asc&offset=3&limit=2").ok();
    assert_eq!(titles(&page), ["t3", "t4"]);
    let equal = pages(&bed, json!({ "limit": 4, "sort": { "field": "missing" } })).concat();
    assert_eq!(equal.len(), 11);
    bed.get("/v1/collections/pages/documents?sort=n:sideways").refused(422);
}

#[test]
fn only_what_is_selected_is_shown() {
    let (bed, _) = stage(vec![json!({ "title": "a", "m": { "x": 1, "y": 2 }, "body": "long" })]);
    let body = json!({ "select": ["title", "m.x"], "return_vectors": true });
    let shown = &bed.post(LIST, body).ok()["results"][0];
    assert_eq!((&shown["title"], &shown["m"]), (&json!("a"), &json!({ "x": 1 })));
    assert!(shown.get("body").is_none());
    assert_eq!(shown["_vectors"]["v"], json!([1.0, 1.0]));
}

#[test]
fn groups_are_counted_and_paged() {
    let (bed, _) = stage(numbered(9));
    let page = bed.post(LIST, json!({ "group_by": "odd", "limit": 1, "include_total": true })).ok();
    assert_eq!(
        (&page["groups"][0]["group_key"], &page["groups"][0]["count"]),
        (&json!(false), &json!(5))
    );
    assert_eq!(page["groups"][0]["documents"].as_array().unwrap().len(), 5);
    assert_eq!((&page["pagination"]["total"], &page["total_documents"]), (&json!(2), &json!(9)));
    let next = page["pagination"]["next_cursor"].clone();
    let body = json!({ "group_by": { "field": "odd" }, "limit": 1, "cursor": next });
    let page = bed.post(LIST, body).ok();
    assert_eq!(
        (&page["groups"][0]["group_key"], &page["groups"][0]["count"]),
        (&json!(true), &json!(4))
    );
    assert_eq!(page["pagination"]["next_cursor"], json!(null));
}

#[test]
fn values_are_counted_and_groups_are_computed() {
    let (bed, _) = stage(vec![
        json!({ "title": "a", "brand": "x", "n": 1, "tags": ["p", "q"],
            "at": "2026-05-01T10:00:00Z" }),
        json!({ "title": "b", "brand": "x", "n": 4, "tags": ["p"], "at": "2026-05-01T23:00:00Z" }),
        json!({ "title": "c", "brand": "y", "n": 10, "at": "2026-06-01" }),
    ]);
    let distinct = "/v1/collections/pages/documents/distinct";
    let values = bed.post(distinct, json!({ "field": "tags" })).ok();
    assert_eq!(
        values["values"],
        json!([{ "value": "p", "count": 2 }, { "value": "q", "count": 1 }])
    );
    let values = bed.post(distinct, json!({ "field": "brand", "limit": 1 })).ok();
    assert_eq!(
        (&values["total_distinct"], &values["values"][0]["value"]),
        (&json!(2), &json!("x"))
    );
    let aggregate = "/v1/collections/pages/documents/aggregate";
    let compute = |body: Value| bed.post(aggregate, body).ok();
    let answer = compute(json!({
        "group_by": [{ "field": "brand", "alias": "b" }],
        "aggregations": [
            { "function": "count", "alias": "count" },
            { "function": "sum", "field": "n", "alias": "sum" },
            { "function": "avg", "field": "n", "alias": "avg" },
            { "function": "max", "field": "n", "alias": "max" },
            { "function": "count_distinct", "field": "tags", "alias": "lists" },
        ],
        "sort_by": "sum",
        "having": [{ "field": "sum", "operator": "gte", "value": 5 }],
    }));
    assert_eq!(answer["total_groups"], 2);
    assert_eq!(answer["results"][0]["group"], json!({ "b": "y" }));
    let metrics = json!({ "count": 2, "sum": 5, "avg": 2.5, "max": 4, "lists": 2 });
    assert_eq!(answer["results"][1]["metrics"], metrics);
    let count = json!([{ "function": "count", "alias": "c" }]);
    let answer = compute(json!({ "aggregations": count, "filters": { "brand": "x" } }));
    assert_eq!(answer["results"], json!([{ "group": {}, "metrics": { "c": 2 } }]));
    let answer = compute(json!({
        "group_by": [{ "field": "at", "date_trunc": "day" }], "aggregations": count,
        "sort_by": "at", "sort_direction": "asc", "limit": 1,
    }));
    let day = json!({ "group": { "at": "2026-05-01T00:00:00Z" }, "metrics": { "c": 2 } });
    assert_eq!((&answer["results"], &answer["total_groups"]), (&json!([day]), &json!(2)));
    let answer = compute(json!({
        "unwind": "tags", "group_by": [{ "field": "tags" }], "aggregations": count,
    }));
    assert_eq!(answer["results"][0], json!({ "group": { "tags": "p" }, "metrics": { "c": 2 } }));
    let answer = compute(json!({
        "range_buckets": [{ "field": "n", "boundaries": [0, 4, 8] }], "aggregations": count,
    }));
    let rows = json!([
        { "group": { "n": "0-4" }, "metrics": { "c": 2 } },
        { "group": { "n": "other" }, "metrics": { "c": 1 } },
    ]);
    assert_eq!(answer["results"], rows);
    let error =
        bed.post(aggregate, json!({ "aggregations": [{ "function": "sum", "alias": "s" }] }));
    assert_eq!(error.refused(422)["details"]["field"], "/aggregations/0/field");
}
