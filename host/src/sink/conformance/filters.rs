//! Which documents a filter selects.

use super::*;

pub(super) fn counting_follows_the_filter(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    let kind = |n: u64| if n.is_multiple_of(3) { "fizz" } else { "other" };
    stage.write((0..100).map(|n| document(n, json!({ "kind": kind(n) }))).collect())?;
    let filter = all(vec![field("kind", Operator::Eq, json!("fizz"))]);
    let count = stage.count(Some(&filter))?;
    ensure!(count == 34, "34 documents match, {count} were counted");
    let everything = stage.count(Some(&all(Vec::new())))?;
    ensure!(everything == 100, "an empty filter counts {everything} of 100");
    let none = all(vec![field("kind", Operator::Eq, json!("buzz"))]);
    ensure!(stage.count(Some(&none))? == 0, "a filter that matches nothing counts something");
    Ok(())
}

pub(super) fn every_filter_operator_selects_what_it_says(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write(vec![
        document(
            1,
            json!({ "kind": "pdf", "n": 1, "title": "Quick brown fox", "on": true,
            "tags": ["red", "blue"], "at": "2026-01-01T00:00:00Z", "deep": { "x y": 1 } }),
        ),
        document(
            2,
            json!({ "kind": "png", "n": 2.5, "title": "lazy dog", "on": false,
            "tags": ["green"], "at": "2026-06-01T00:00:00+02:00", "deep": { "x y": 2 } }),
        ),
        document(
            3,
            json!({ "kind": "pdfa", "n": -3, "title": "brown dog", "gone": null,
            "tags": [], "list": [{ "v": 1 }, { "v": 2 }] }),
        ),
    ])?;
    use Operator::{Contains, Eq, Exists, Gt, Gte, In, IsNull, Lt, Lte, Ne, Nin, StartsWith, Text};
    let cases: &[(&str, Operator, Value, &[u64])] = &[
        ("kind", Eq, json!("pdf"), &[1]),
        ("kind", Ne, json!("pdf"), &[2, 3]),
        ("on", Eq, json!(true), &[1]),
        ("on", Ne, json!(true), &[2, 3]),
        ("n", Eq, json!(1), &[1]),
        ("n", Eq, json!(2.5), &[2]),
        ("n", Gt, json!(1), &[2]),
        ("n", Gte, json!(1), &[1, 2]),
        ("n", Lt, json!(1), &[3]),
        ("n", Lte, json!(2.5), &[1, 2, 3]),
        ("at", Gte, json!("2026-05-31T22:00:00Z"), &[2]),
        ("at", Lt, json!("2026-05-31T22:00:00Z"), &[1]),
        ("kind", In, json!(["pdf", "png", "tiff"]), &[1, 2]),
        ("kind", Nin, json!(["pdf", "png"]), &[3]),
        ("kind", In, json!([]), &[]),
        ("kind", Nin, json!([]), &[1, 2, 3]),
        ("n", In, json!([1, -3]), &[1, 3]),
        ("n", In, json!([2.5, -3, "x", true]), &[2, 3]),
        ("tags", Eq, json!("blue"), &[1]),
        ("tags", Contains, json!("een"), &[2]),
        ("kind", Contains, json!("df"), &[1, 3]),
        ("kind", StartsWith, json!("pdf"), &[1, 3]),
        ("title", Text, json!("DOG brown"), &[3]),
        ("tags", Exists, json!(true), &[1, 2]),
        ("gone", Exists, json!(false), &[1, 2, 3]),
        ("gone", IsNull, json!(true), &[3]),
        ("gone", IsNull, Value::Null, &[3]),
        ("gone", Eq, Value::Null, &[3]),
        ("gone", IsNull, json!(false), &[1, 2]),
        ("deep.x y", Eq, json!(2), &[2]),
        ("list[].v", Eq, json!(2), &[3]),
        ("_quarry.object", Eq, json!("obj_2"), &[2]),
        ("absent", Eq, json!(1), &[]),
    ];
    for (path, operator, value, expected) in cases {
        let filter = all(vec![field(path, *operator, value.clone())]);
        let found = matching(stage, filter)?;
        let expected = expected.to_vec();
        ensure!(found == expected, "{path} {operator:?} {value}: {found:?}, not {expected:?}");
    }
    for (operator, value) in [(Operator::Regex, "p.*"), (Operator::EndsWith, "f")] {
        let filter = all(vec![field("kind", operator, json!(value))]);
        refused(stage.sink()?.count(&stage.namespace, Some(&filter)), Code::Invalid, value)?;
    }
    Ok(())
}

pub(super) fn filters_nest(stage: &mut Stage) -> Outcome {
    stage.prepare()?;
    stage.write((1..=20).map(|n| document(n, json!({ "n": n, "even": n % 2 == 0 }))).collect())?;
    // (n <= 10) and (n < 4 or n > 8) and not (even)
    let nested = Filter {
        and: vec![field("n", Operator::Lte, json!(10))],
        or: vec![
            field("n", Operator::Lt, json!(4)),
            Condition::Nested(Box::new(all(vec![field("n", Operator::Gt, json!(8))]))),
        ],
        not: vec![field("even", Operator::Eq, json!(true))],
        case_sensitive: true,
    };
    let found = matching(stage, nested)?;
    ensure!(found == [1, 3, 9], "a nested filter selects {found:?}");
    Ok(())
}
