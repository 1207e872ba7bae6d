//! Pipelines that are nearly right: their names mostly exist, their types often fit.

use super::super::random::Random;
use serde_json::{Map, Value, json};

const FIELDS: [&str; 12] = [
    "text",
    "title",
    "n",
    "score",
    "on",
    "meta",
    "image",
    "page",
    "embedding",
    "features",
    "start_byte",
    "thumbnail",
];
const TYPES: [&str; 17] = [
    "string", "number", "integer", "float", "boolean", "object", "array", "date", "datetime",
    "json", "text", "image", "audio", "video", "pdf", "excel", "binary",
];
const COLLECTIONS: [&str; 5] = ["a", "b", "c", "d-1", "e"];
const BUCKETS: [&str; 2] = ["notes", "files"];
const EXTRACTORS: [&str; 7] =
    ["chunk", "embed", "look", "chunk@1.0.0", "embed@2", "text-chunk", "nobody"];
const OPERATORS: [&str; 8] = ["eq", "ne", "gt", "in", "regex", "exists", "contains", "text"];

pub(super) fn pipeline(random: &mut Random) -> String {
    let buckets: Map<String, Value> = BUCKETS
        .iter()
        .take(1 + random.below(2))
        .map(|name| (name.to_string(), bucket(random)))
        .collect();
    let collections: Map<String, Value> = COLLECTIONS
        .iter()
        .take(1 + random.below(COLLECTIONS.len()))
        .enumerate()
        .map(|(at, name)| (name.to_string(), collection(at, random)))
        .collect();
    let pipeline = json!({ "namespace": "main", "buckets": buckets, "collections": collections });
    toml::to_string(&pipeline).expect("TOML has a form for all of it")
}

fn bucket(random: &mut Random) -> Value {
    let mut schema = Map::new();
    // Most pipelines need these.
    schema.insert("text".to_string(), json!("text"));
    schema.insert("image".to_string(), json!({ "type": "image", "uri": "file" }));
    for _ in 0..random.below(6) {
        let kind = random.pick(&TYPES);
        let field = match random.below(6) {
            0 => json!({ "type": kind, "column": random.pick(&FIELDS) }),
            1 => json!({ "type": kind, "uri": random.pick(&FIELDS) }),
            _ => json!(kind),
        };
        schema.insert(random.pick(&FIELDS).to_string(), field);
    }
    match random.below(3) {
        0 => json!({ "id": "title", "schema": schema }),
        _ => json!({ "schema": schema }),
    }
}

fn collection(at: usize, random: &mut Random) -> Value {
    let mut source = |_| match random.below(10) {
        0 => format!("collection:{}", random.pick(&COLLECTIONS)),
        1..5 if at > 0 => format!("collection:{}", COLLECTIONS[random.below(at)]),
        5 => format!("bucket:{}", random.pick(&BUCKETS)),
        _ => format!("bucket:{}", BUCKETS[0]),
    };
    let mut collection = Map::new();
    let one = source(0);
    let several: Vec<String> = (0..2).map(source).collect();
    let source = if random.one_in(5) { json!(several) } else { json!(one) };
    collection.insert("source".to_string(), source);
    collection.insert("extractor".to_string(), json!(random.pick(&EXTRACTORS)));
    for key in ["parameters", "inputs", "outputs", "passthrough", "filter", "vectors", "index"] {
        if random.one_in(3) {
            collection.insert(key.to_string(), setting(key, random));
        }
    }
    if random.one_in(6) {
        collection.insert("searchable".to_string(), json!(false));
    }
    Value::Object(collection)
}

fn setting(key: &str, random: &mut Random) -> Value {
    match key {
        "parameters" => match random.below(4) {
            0 => json!({ "wrong": 1 }),
            _ => json!({ "dimensions": ([3, 4, 0, 65_536][random.below(4)]) }),
        },
        "inputs" => json!({ random.pick(&["text", "image", "weight", "hint"]): path(random) }),
        "outputs" => json!({ random.pick(&FIELDS): random.pick(&FIELDS) }),
        "vectors" => json!({ random.pick(&["embedding", "features", "sparse"]): "named" }),
        "passthrough" => (0..random.below(4)).map(|_| passthrough(random)).collect(),
        "index" => (0..random.below(3)).map(|_| index(random)).collect(),
        _ => filter(random, 0),
    }
}

fn path(random: &mut Random) -> String {
    let root = random.pick(&FIELDS);
    match random.below(6) {
        0 => format!("{root}.inner"),
        1 => format!("{root}.list.0.x y"),
        _ => root.to_string(),
    }
}

fn passthrough(random: &mut Random) -> Value {
    let path = path(random);
    match random.below(4) {
        0 => json!({ "source": path, "target": random.pick(&FIELDS) }),
        1 => json!({ "source": path, "default": value(random), "required": true }),
        _ => json!(path),
    }
}

fn index(random: &mut Random) -> Value {
    let kind = random.pick(&["keyword", "integer", "float", "bool", "text", "datetime"]);
    let path = path(random);
    if random.one_in(2) { json!(path) } else { json!({ "field": path, "type": kind }) }
}

fn filter(random: &mut Random, depth: usize) -> Value {
    let list = random.pick(&["AND", "OR", "NOT", "and"]);
    let conditions = (0..random.below(4)).map(|_| {
        if depth < 3 && random.one_in(4) {
            return filter(random, depth + 1);
        }
        let operator = random.pick(&OPERATORS);
        let value = match operator {
            "in" => json!([value(random)]),
            "regex" => json!(random.pick(&["a+", "(", "\\pL{900}", "(?i)x"])),
            "exists" => json!(true),
            _ => value(random),
        };
        json!({ "field": path(random), "operator": operator, "value": value })
    });
    let conditions: Value = conditions.collect();
    json!({ list: conditions })
}

fn value(random: &mut Random) -> Value {
    match random.below(5) {
        0 => json!(random.edge() as i64),
        1 => json!(random.below(1_000) as f64 / 7.0),
        2 => json!(random.one_in(2)),
        3 => json!([1, "x"]),
        _ => json!("some text"),
    }
}
