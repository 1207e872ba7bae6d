use crate::support::api::{Bed, Reply};
use serde_json::{Value, json};

fn bucket(bed: &Bed, name: &str, more: Value) {
    let mut body = json!({
        "bucket_name": name,
        "bucket_schema": { "properties": {
            "text": { "type": "text" },
            "title": { "type": "string" },
            "year": { "type": "integer" },
            "photo": { "type": "image" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "at": { "type": "datetime" },
        } },
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    bed.post("/v1/buckets", body).ok();
}

fn make(bed: &Bed, body: Value) -> Value {
    bed.post("/v1/buckets/b/objects", body).ok()
}

fn titles(page: &Value) -> Vec<&str> {
    let results = page["results"].as_array().unwrap();
    results.iter().map(|object| object["title"].as_str().unwrap()).collect()
}

fn list(bed: &Bed, body: Value) -> Reply {
    bed.post("/v1/buckets/b/objects/list", body)
}

fn bed() -> Bed {
    let bed = Bed::new();
    bucket(&bed, "b", json!({}));
    bed
}

#[test]
fn an_object_is_made_read_changed_and_deleted() {
    let bed = bed();
    let made = make(
        &bed,
        json!({
            "key_prefix": "/talks",
            "blobs": [{ "property": "text", "type": "TEXT", "data": "Four score",
                "metadata": { "page": 1 } }],
            "title": "Gettysburg",
            "metadata": { "year": 1863, "source": "library" },
            "canonicalize_source": true, "force_remirror": false, "skip_duplicates": false,
        }),
    );
    assert_eq!((&made["status"], &made["title"]), (&json!("PENDING"), &json!("Gettysburg")));
    assert_eq!((&made["year"], &made["metadata"]), (&json!(1863), &json!({ "source": "library" })));
    let blob = &made["blobs"][0];
    assert_eq!(blob["properties"], json!({ "page": 1, "text": "Four score" }));
    assert_eq!((&blob["type"], &blob["details"]["size_bytes"]), (&json!("text"), &json!(10)));
    assert_eq!(made["consistency"]["retriever_visible"], "after_processing");
    let path = format!("/v1/buckets/b/objects/{}", made["object_id"].as_str().unwrap());
    let read = bed.get(&path).ok();
    assert_eq!((&read["document_count"], &read["blobs"]), (&json!(0), &made["blobs"]));
    let patched = bed.call("PATCH", &path, json!({ "title": "Address", "year": null })).ok();
    assert_eq!((&patched["title"], &patched["year"]), (&json!("Address"), &Value::Null));
    let put = json!({ "metadata": { "year": 1864, "source": null, "shelf": 3 } });
    let updated = bed.call("PUT", &path, put).ok();
    assert_eq!((&updated["year"], &updated["metadata"]), (&json!(1864), &json!({ "shelf": 3 })));
    assert_eq!(bed.get("/v1/buckets/b").ok()["object_count"], 1);
    assert_eq!(bed.call("DELETE", &path, Value::Null).status, 204);
    bed.get(&path).refused(404);
    let stats = bed.get("/v1/buckets/b").ok();
    assert_eq!((&stats["object_count"], &stats["total_size_bytes"]), (&json!(0), &json!(0)));
}

#[test]
fn what_does_not_fit_the_schema_is_refused_with_its_place() {
    let bed = bed();
    let check = |body: Value, pointer: &str| {
        let error = bed.post("/v1/buckets/b/objects", body.clone()).refused(422);
        assert_eq!(error["details"]["field"], pointer, "{body} {error}");
    };
    let blob =
        |property: &str, data: Value| json!({ "blobs": [{ "property": property, "data": data }] });
    check(json!({ "colour": "red" }), "/colour");
    check(json!({ "year": "1863" }), "/year");
    check(json!({ "at": "yesterday" }), "/at");
    check(json!({ "tags": ["a", 1] }), "/tags/1");
    check(blob("colour", json!("red")), "/blobs/0/property");
    check(blob("photo", json!("not a picture")), "/blobs/0/data");
    check(blob("photo", json!({ "base64": "???" })), "/blobs/0/data/base64");
    check(blob("photo", json!({ "url": "https://host/x", "size": "1" })), "/blobs/0/data/size");
    check(blob("photo", json!({ "url": "mailto:me" })), "/blobs/0/data/url");
    check(
        json!({ "blobs": [{ "property": "text", "type": "image", "data": "x" }] }),
        "/blobs/0/type",
    );
    check(json!({ "blobs": [{ "property": "text" }] }), "/blobs/0");
    check(json!({ "title": "x", "blobs": [{ "property": "title", "data": "y" }] }), "/title");
    let gone = blob("text", json!({ "upload_id": "upl_0" }));
    bed.post("/v1/buckets/b/objects", gone).refused(404);
    bucket(
        &bed,
        "strict",
        json!({ "bucket_schema": { "properties": {
        "text": { "type": "text", "required": true },
        "kind": { "type": "string", "enum": ["a", "b"], "default": "a" },
    } } }),
    );
    let strict = |body: Value| bed.post("/v1/buckets/strict/objects", body);
    assert_eq!(strict(json!({})).refused(422)["details"]["field"], "/text");
    strict(json!({ "text": "x", "kind": "c" })).refused(422);
    assert_eq!(strict(json!({ "text": "x" })).ok()["kind"], "a");
}

#[test]
fn bytes_are_kept_and_references_stay_references() {
    let bed = bed();
    let photo =
        |data: Value| json!({ "blobs": [{ "property": "photo", "type": "IMAGE", "data": data }] });
    let made = make(
        &bed,
        photo(json!({ "base64": "AAECAw==", "mime_type": "image/png", "filename": "p.png" })),
    );
    let details = &made["blobs"][0]["details"];
    assert_eq!((&details["size_bytes"], &details["filename"]), (&json!(4), &json!("p.png")));
    let path = format!("/v1/buckets/b/objects/{}", made["object_id"].as_str().unwrap());
    let read = bed.get(&format!("{path}?return_presigned_urls=true")).ok();
    let link = read["blobs"][0]["presigned_url"].as_str().unwrap().to_string();
    assert_eq!(bed.get(&link).body, [0, 1, 2, 3]);
    bed.get(&link.replace("token=", "token=x")).refused(403);
    bed.call("DELETE", &path, Value::Null).ok();
    bed.get(&link).refused(404);

    let made = make(&bed, photo(json!("data:image/gif;base64,R0lG")));
    assert_eq!(made["blobs"][0]["details"]["mime_type"], "image/gif");
    let made = make(&bed, photo(json!("s3://pictures/one.jpg")));
    assert_eq!(made["blobs"][0]["properties"]["url"], "s3://pictures/one.jpg");
    assert_eq!(made["blobs"][0]["details"]["mime_type"], "image/jpeg");
    let long = "word ".repeat(2_000);
    let made = make(&bed, json!({ "blobs": [{ "property": "text", "data": long }] }));
    assert_eq!(made["blobs"][0]["details"]["size_bytes"], 10_000);
    assert_eq!(made["blobs"][0]["properties"]["text"], Value::Null);
    let own = format!("file://{}", bed.path("data/state/db").display());
    bed.post("/v1/buckets/b/objects", photo(json!(own))).refused(403);
    let big = json!({ "title": "x".repeat(70_000) });
    bed.post("/v1/buckets/b/objects", big).refused(413);
}

#[test]
fn a_batch_makes_those_that_fit_and_tells_of_the_others() {
    let bed = bed();
    let body = json!({ "objects": [
        { "title": "one" }, { "colour": "red" }, { "title": "three", "idempotency_key": "k" },
        { "title": "again", "idempotency_key": "k" }, { "title": "one", "skip_duplicates": true },
    ] });
    let answer = bed.post("/v1/buckets/b/objects/batch", body).ok();
    let counts = ["total_requested", "succeeded_count", "failed_count"].map(|name| &answer[name]);
    assert_eq!(counts, [&json!(5), &json!(4), &json!(1)]);
    let failed = &answer["failed"][0];
    assert_eq!(
        (&failed["object_index"], &failed["error_type"]),
        (&json!(1), &json!("validation_error"))
    );
    assert_eq!(failed["pointer"], "/objects/1/colour");
    let made = answer["succeeded"].as_array().unwrap();
    assert_eq!(made[2]["object_id"], made[1]["object_id"]);
    assert_eq!(
        (&made[2]["replayed_by"], &made[3]["replayed_by"]),
        (&json!("idempotency_key"), &json!("skip_duplicates"))
    );
    assert_eq!(bed.get("/v1/buckets/b").ok()["object_count"], 2);
    let none = json!({ "objects": [{ "colour": "red" }] });
    let error = bed.post("/v1/buckets/b/objects/batch", none).refused(422);
    assert_eq!(error["details"]["field"], "/objects/0/colour");
    bed.post("/v1/buckets/b/objects?auto_process=true", json!({})).refused(409);
}

#[test]
fn the_policy_says_what_happens_to_a_unique_key_that_is_there() {
    let bed = Bed::new();
    let unique =
        |policy: Value| json!({ "unique_key": { "fields": ["title"], "default_policy": policy } });
    bucket(&bed, "b", unique(json!("insert")));
    bucket(&bed, "open", unique(Value::Null));
    let post = |target: &str, body: Value| bed.post(&format!("/v1/buckets/{target}"), body);
    let first = post("b/objects", json!({ "title": "x", "year": 1 })).ok();
    post("b/objects", json!({ "title": "x", "year": 2 })).refused(409);
    post("b/objects?policy=update", json!({ "title": "y" })).refused(404);
    let second = post("b/objects?policy=upsert", json!({ "title": "x", "tags": ["t"] })).ok();
    assert_eq!(second["object_id"], first["object_id"]);
    assert_eq!((&second["year"], &second["tags"]), (&Value::Null, &json!(["t"])));
    post("b/objects", json!({ "year": 1 })).refused(422);
    let other = post("b/objects", json!({ "title": "z" })).ok();
    let path = format!("/v1/buckets/b/objects/{}", other["object_id"].as_str().unwrap());
    bed.call("PATCH", &path, json!({ "title": "x" })).refused(409);
    bed.call("PATCH", &path, json!({ "title": "w" })).ok();
    post("b/objects", json!({ "title": "z" })).ok();
    bed.call("DELETE", &path, Value::Null).ok();
    post("b/objects", json!({ "title": "w" })).ok();
    assert_eq!(
        post("open/objects", json!({ "title": "x" })).refused(422)["details"]["field"],
        "policy"
    );
    let change = json!({ "unique_key": { "fields": ["year"] } });
    bed.call("PATCH", "/v1/buckets/b", change).refused(409);
}

#[test]
fn lists_are_filtered_sorted_searched_and_cut() {
    let bed = bed();
    for (title, year) in [("Delta", 4), ("alpha", 1), ("Charlie", 3), ("bravo", 2)] {
        make(
            &bed,
            json!({ "title": title, "year": year, "metadata": { "shelf": format!("s{year}") } }),
        );
    }
    let all = bed.get("/v1/buckets/b/objects").ok();
    assert_eq!(titles(&all), ["Delta", "alpha", "Charlie", "bravo"]);
    assert_eq!(all["pagination"]["total"], Value::Null);
    let back =
        list(&bed, json!({ "sort": { "field": "created_at", "direction": "desc" }, "limit": 3 }))
            .ok();
    assert_eq!(titles(&back), ["bravo", "Charlie", "alpha"]);
    let filters = json!({ "AND": [{ "field": "year", "operator": "gt", "value": 1 }],
        "case_sensitive": false });
    let sort = json!({ "field": "year", "direction": "asc" });
    let mut cursor = Value::Null;
    let mut seen = Vec::new();
    loop {
        let page =
            list(&bed, json!({ "filters": filters, "sort": sort, "limit": 2, "cursor": cursor }))
                .ok();
        seen.extend(titles(&page).into_iter().map(str::to_string));
        cursor = page["pagination"]["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["bravo", "Charlie", "Delta"]);
    let short = json!({ "filters": { "title": "ALPHA", "case_sensitive": false } });
    assert_eq!(titles(&list(&bed, short).ok()), ["alpha"]);
    assert_eq!(titles(&list(&bed, json!({ "search": "S3" })).ok()), ["Charlie"]);
    let counted = bed.get("/v1/buckets/b/objects?limit=1&include_total=true").ok();
    assert_eq!(
        (&counted["pagination"]["total"], &counted["stats"]["total_objects"]),
        (&json!(4), &json!(4))
    );
    let picked = list(&bed, json!({ "select": ["title", "metadata.shelf"], "limit": 1 })).ok();
    let mut names: Vec<&String> = picked["results"][0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["bucket_id", "metadata", "object_id", "title"]);
}

#[test]
fn groups_are_counted_and_computed() {
    let bed = bed();
    for (title, year, at) in
        [("a", 1, "2024-05-01"), ("a", 2, "2024-05-20"), ("b", 6, "2024-06-02")]
    {
        make(&bed, json!({ "title": title, "year": year, "at": at, "tags": [title, "all"] }));
    }
    let aggregate = |body: Value| bed.post("/v1/buckets/b/objects/aggregate", body);
    let answer = aggregate(json!({
        "group_by": [{ "field": "at", "alias": "month", "date_trunc": "month" }],
        "aggregations": [
            { "function": "count", "alias": "n" }, { "function": "sum", "field": "year",
                "alias": "sum" },
            { "function": "avg", "field": "year", "alias": "mean" }, { "function": "max",
                "field": "year", "alias": "top" },
            { "function": "count_distinct", "field": "title", "alias": "titles" },
        ],
        "having": [{ "field": "n", "operator": "gt", "value": 1 }],
        "sort_direction": "desc",
    }))
    .ok();
    assert_eq!(answer["total_groups"], 1);
    assert_eq!(
        answer["results"][0],
        json!({
            "group": { "month": "2024-05-01T00:00:00Z" },
            "metrics": { "n": 2, "sum": 3, "mean": 1.5, "top": 2, "titles": 1 },
        })
    );
    let answer = aggregate(json!({
        "group_by": [{ "field": "tags" }], "unwind": "tags",
        "aggregations": [{ "function": "count", "alias": "n" }],
        "sort_by": "n", "limit": 1,
    }))
    .ok();
    assert_eq!(answer["results"][0], json!({ "group": { "tags": "all" }, "metrics": { "n": 3 } }));
    assert_eq!(answer["query_info"], json!({ "objects_scanned": 3, "rows_grouped": 6 }));
    let answer = aggregate(json!({
        "group_by": [{ "field": "title" }], "filters": { "title": "a" },
        "range_buckets": [{ "field": "year", "boundaries": [0, 1, 5] }],
        "aggregations": [{ "function": "push", "field": "year", "alias": "years" }],
    }))
    .ok();
    assert_eq!(answer["results"][1]["group"], json!({ "title": "a", "year": "1-5" }));
    let wrong = json!({ "group_by": [{ "field": "x" }], "aggregations": [{ "function": "sum",
        "alias": "s" }] });
    assert_eq!(aggregate(wrong).refused(422)["details"]["field"], "/aggregations/0/field");
}

#[test]
fn objects_that_are_marked_as_deleted_are_kept_and_hidden() {
    let bed = bed();
    let id = |made: Value| made["object_id"].as_str().unwrap().to_string();
    let (one, two) =
        (id(make(&bed, json!({ "title": "1" }))), id(make(&bed, json!({ "title": "2" }))));
    let body = json!({ "object_ids": [one, "obj_0", one], "reason": "scope",
        "lifecycle_state": "disabled", "source": "bulk_purge" });
    let answer = bed.post("/v1/buckets/b/objects/bulk-soft-delete", body).ok();
    assert_eq!(answer, json!({ "soft_deleted": 1, "requested": 3, "collections": 0 }));
    let listed = bed.get("/v1/buckets/b/objects?include_total=true").ok();
    assert_eq!(
        (&listed["pagination"]["total"], &listed["results"][0]["object_id"]),
        (&json!(1), &json!(two))
    );
    let kept = bed.get(&format!("/v1/buckets/b/objects/{one}")).ok();
    assert_eq!(
        (&kept["status"], &kept["deletion"]["reason"]),
        (&json!("DEACTIVATED"), &json!("scope"))
    );
    assert_eq!(bed.get("/v1/buckets/b").ok()["object_count"], 1);
    bed.call("PATCH", &format!("/v1/buckets/b/objects/{one}"), json!({ "title": "3" }))
        .refused(404);
    bed.call("DELETE", &format!("/v1/buckets/b/objects/{one}"), Value::Null).ok();
    bed.get(&format!("/v1/buckets/b/objects/{one}")).refused(404);
    assert_eq!(bed.get("/v1/buckets/b").ok()["object_count"], 1);
}

#[test]
fn objects_of_two_namespaces_never_meet() {
    let bed = bed();
    bed.post("/v1/namespaces", json!({ "namespace_name": "other" })).ok();
    let there = |method: &str, target: &str, body: Option<Value>| {
        let mut request = bed.request(method, target, body);
        request.namespace = Some("other".to_string());
        bed.send(request)
    };
    let schema = json!({ "properties": { "title": { "type": "string" } } });
    there("POST", "/v1/buckets", Some(json!({ "bucket_name": "b", "bucket_schema": schema }))).ok();
    let made = make(&bed, json!({ "title": "here" }));
    let path = format!("/v1/buckets/b/objects/{}", made["object_id"].as_str().unwrap());
    there("GET", &path, None).refused(404);
    there("PATCH", &path, Some(json!({ "title": "x" }))).refused(404);
    there("DELETE", &path, None).refused(404);
    let ids = json!({ "object_ids": [made["object_id"]], "reason": "x" });
    let marked = there("POST", "/v1/buckets/b/objects/bulk-soft-delete", Some(ids)).ok();
    assert_eq!(marked["soft_deleted"], 0);
    there("POST", "/v1/buckets/b/objects", Some(json!({ "title": "there" }))).ok();
    let listed = there("GET", "/v1/buckets/b/objects", None).ok();
    assert_eq!(titles(&listed), ["there"]);
    assert_eq!(titles(&bed.get("/v1/buckets/b/objects").ok()), ["here"]);
    let count = json!({ "group_by": [{ "field": "title" }],
        "aggregations": [{ "function": "count", "alias": "n" }] });
    let groups = there("POST", "/v1/buckets/b/objects/aggregate", Some(count)).ok();
    assert_eq!(
        groups["results"],
        json!([{ "group": { "title": "there" }, "metrics": { "n": 1 } }])
    );
    // The bucket's own id opens nothing from elsewhere either.
    let foreign = format!("/v1/buckets/{}/objects", made["bucket_id"].as_str().unwrap());
    there("GET", &foreign, None).refused(404);
}

#[test]
fn a_bucket_takes_its_objects_with_it() {
    let bed = bed();
    let photo = json!({ "blobs": [{ "property": "photo", "data": "data:image/png;base64,AAEC" }] });
    let made = make(&bed, photo);
    let stored = made["blobs"][0]["properties"]["storage_key"].as_str().unwrap().to_string();
    let file = bed.path("data/objects").join(stored);
    assert!(file.exists());
    bed.call("DELETE", "/v1/buckets/b", Value::Null).ok();
    assert!(!file.exists());
    let control = bed.api.control();
    let left = control.engine.store.all::<quarry::store::catalog::Object>("").unwrap();
    assert!(left.is_empty());
    assert!(control.engine.store.all::<quarry::store::catalog::Lookup>("").unwrap().is_empty());
    assert!(control.engine.store.all::<quarry::store::catalog::Removal>("").unwrap().is_empty());
}
