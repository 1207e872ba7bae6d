//! What filters become. That both engines do the same with them is part of the conformance suite.

use quarry::model::Filter;
use quarry::sink::filter_to_json;
use serde_json::{Value, json};

fn translate(filter: Value) -> Result<Value, String> {
    let filter: Filter = serde_json::from_value(filter).expect("a filter of the API");
    filter_to_json(&filter)
        .map_err(|error| format!("{error} [{}]", error.hint_text().unwrap_or("")))
}

fn one(field: &str, operator: &str, value: Value) -> Value {
    json!({ "AND": [{ "field": field, "operator": operator, "value": value }] })
}

#[test]
fn every_operator_has_its_condition() {
    let check = |operator: &str, value: Value, expected: Value| {
        let json = translate(one("a.b", operator, value)).expect(operator);
        assert_eq!(json, json!({ "must": [{ "must": [expected] }] }), "{operator}");
    };
    let not = |condition: Value| json!({ "must_not": [condition] });
    let matching = |value: Value| json!({ "key": "a.b", "match": value });
    let range = |value: Value| json!({ "key": "a.b", "range": value });
    // Floats that are whole are found, too.
    let whole = |condition: Value, values: &[f64]| {
        let mut any = vec![condition];
        any.extend(values.iter().map(|value| range(json!({ "gte": value, "lte": value }))));
        json!({ "should": any })
    };
    check("eq", json!("x"), matching(json!({ "value": "x" })));
    check("eq", json!(7), whole(matching(json!({ "value": 7 })), &[7.0]));
    let far = (1_i64 << 53) + 1;
    check("eq", json!(far), json!({ "should": [matching(json!({ "value": far }))] }));
    check("eq", json!(true), matching(json!({ "value": true })));
    check("eq", json!(0.5), range(json!({ "gte": 0.5, "lte": 0.5 })));
    check("eq", json!(null), json!({ "is_null": { "key": "a.b" } }));
    check("ne", json!("x"), not(matching(json!({ "value": "x" }))));
    check("gt", json!(1), range(json!({ "gt": 1.0 })));
    check("lte", json!(1.5), range(json!({ "lte": 1.5 })));
    check(
        "gte",
        json!("2026-01-01T01:00:00+01:00"),
        range(json!({ "gte": "2026-01-01T00:00:00Z" })),
    );
    check("in", json!(["x", "y"]), matching(json!({ "any": ["x", "y"] })));
    check("in", json!([1, 2]), whole(matching(json!({ "any": [1, 2] })), &[1.0, 2.0]));
    check("in", json!([]), json!({ "has_id": [] }));
    check("nin", json!(["x", "y"]), not(matching(json!({ "any": ["x", "y"] }))));
    check("contains", json!("x"), matching(json!({ "substring": "x" })));
    check("contains", json!(3), whole(matching(json!({ "value": 3 })), &[3.0]));
    check("starts_with", json!("x"), matching(json!({ "prefix": "x" })));
    check("text", json!("x y"), matching(json!({ "text": "x y" })));
    check("exists", json!(true), not(json!({ "is_empty": { "key": "a.b" } })));
    check("exists", json!(false), not(not(json!({ "is_empty": { "key": "a.b" } }))));
    check("is_null", json!(true), json!({ "is_null": { "key": "a.b" } }));
}

#[test]
fn the_three_lists_hold_together() {
    let filter = json!({
        "AND": [{ "field": "a", "operator": "eq", "value": "1" }],
        "OR": [
            { "field": "b", "operator": "eq", "value": "2" },
            { "NOT": [{ "field": "c", "operator": "eq", "value": "3" }] },
        ],
    });
    let equal = |key: &str, value: &str| json!({ "key": key, "match": { "value": value } });
    let expected = json!({ "must": [{ "must": [
        equal("a", "1"),
        { "should": [equal("b", "2"), { "must": [{ "must_not": [equal("c", "3")] }] }] },
    ] }] });
    assert_eq!(translate(filter).unwrap(), expected);
}

#[test]
fn unusual_names_are_quoted() {
    for (field, key) in [
        ("plain_name-1.x", "plain_name-1.x"),
        ("größe", "größe"),
        ("a b.c", "\"a b\".c"),
        ("list[].v[0]", "list[].v[0]"),
        ("my list[2].v", "\"my list\"[2].v"),
        ("a[][999999999]", "a[][999999999]"),
    ] {
        let json = translate(one(field, "eq", json!("x"))).unwrap();
        assert_eq!(json["must"][0]["must"][0]["key"], key);
    }
    let far = "a[1000000000]";
    for field in [far, "", "a..b", ".a", "a\"b", "a[x]", "[0]", "a[[]", "a[]]", "a[", "a[0][[1]"] {
        let message = format!("`{field}` is not the path of a field (at {field}) []");
        assert_eq!(translate(one(field, "eq", json!(1))), Err(message));
    }
}

#[test]
fn what_the_engine_can_not_do_is_refused_with_an_alternative() {
    let check = |operator: &str, value: Value, expected: &str| {
        assert_eq!(translate(one("name", operator, value)), Err(expected.to_string()));
    };
    let hint = "[use `contains` or `starts_with`, or `text` on a field with a text index]";
    let message = "documents can not be filtered by `regex` (at name)";
    check("regex", json!("a.*"), &format!("{message} {hint}"));
    let message = "documents can not be filtered by `ends_with` (at name)";
    check("ends_with", json!("a"), &format!("{message} {hint}"));
    check(
        "eq",
        json!([1]),
        "a field can not be compared with a list or an object (at name) \
         [use `in` with a list of values]",
    );
    check("in", json!("x"), "`in` needs a list of values (at name) []");
    check("text", json!(1), "`text` needs a text (at name) []");
    check("exists", json!("x"), "`exists` takes true or false (at name) []");
    let hint = "[a time like `2026-05-01T12:00:00Z`]";
    check("gt", json!("x"), &format!("`gt` needs a number or a time (at name) {hint}"));
}

#[test]
fn ignoring_case_is_refused_for_texts_only() {
    let with_case = |operator: &str, value: Value| {
        let mut filter = one("name", operator, value);
        filter["case_sensitive"] = json!(false);
        translate(filter)
    };
    let hint = "[use `text` on a field with a text index, or `case_sensitive: true`]";
    let message = "`eq` can not ignore upper and lower case (at name)";
    assert_eq!(with_case("eq", json!("X")), Err(format!("{message} {hint}")));
    assert!(with_case("in", json!([1, "X"])).is_err());
    for (operator, value) in [("eq", json!(1)), ("text", json!("X")), ("exists", json!(true))] {
        assert!(with_case(operator, value).is_ok(), "{operator}");
    }
}

#[test]
fn depth_and_size_are_bounded_on_both_sides() {
    let nested = |levels: usize| {
        (1..levels).fold(one("a", "eq", json!(1)), |inner, _| json!({ "OR": [inner] }))
    };
    assert!(translate(nested(16)).is_ok());
    let message = "the filter is nested deeper than 16 levels []".to_string();
    assert_eq!(translate(nested(17)), Err(message));
    let values = |count: usize| one("a", "in", json!((0..count).collect::<Vec<_>>()));
    assert!(translate(values(16_383)).is_ok());
    let message = "the filter has more than 16384 terms []".to_string();
    assert_eq!(translate(values(16_384)), Err(message));
}
