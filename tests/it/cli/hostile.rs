//! A hostile guest costs its rows, not the batch and not the host.

use super::notes;
use crate::support::quarry::Bench;

/// One poisoned row among good ones.
fn check(act: &str, code: &str, call_ms_max: &str) {
    let bench = Bench::new();
    let pipeline = format!(
        "namespace = \"h\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
         source = \"bucket:b\"\nextractor = \"hostile\"\nparameters = {{ act = \"{act}\" }}\n"
    );
    bench.write("p.toml", &pipeline);
    let rows: Vec<(String, String)> =
        (0..50).map(|n| (format!("o{n}"), format!("good {n}"))).collect();
    let mut rows: Vec<(&str, &str)> =
        rows.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    rows[17].1 = "poison";
    notes(&bench, "m.parquet", &rows);
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--call-ms-max", call_ms_max];
    let summary = bench.json(&run);
    assert_eq!(summary["batch"]["status"], "COMPLETED_WITH_ERRORS", "{summary}");
    let funnel = &summary["batch"]["collections"][0];
    assert_eq!((&funnel["succeeded"], &funnel["failed"]), (&49.into(), &1.into()), "{act}");
    let batch = summary["batch"]["id"].as_str().unwrap();
    let dead = bench.json(&["batch", "errors", batch]);
    assert_eq!(dead[0]["object"], "o17");
    assert_eq!(dead[0]["code"], code, "{act}: {}", dead[0]["message"]);
    assert_eq!(bench.documents("c").len(), 49);
}

macro_rules! acts {
    ($($name:ident: $act:literal in $ms:literal => $code:literal,)+) => {
        $(
            #[test]
            fn $name() {
                check($act, $code, $ms);
            }
        )+
    };
}

acts! {
    a_trap_costs_its_row: "trap" in "30000" => "trap",
    an_endless_loop_costs_its_row: "loop" in "500" => "timeout",
    a_memory_bomb_costs_its_row: "memory" in "30000" => "memory_limit",
    too_many_documents_cost_their_row: "documents:1000000" in "30000" => "output_limit",
    a_wrong_dimension_costs_its_row: "dimension" in "30000" => "contract",
    a_nan_costs_its_row: "nan" in "30000" => "contract",
}

/// The guest hands all documents of a call to the poisoned row: a contract breach as long as there
/// is another row in the call. Halving finds that every row is fine on its own.
#[test]
fn duplicate_positions_cost_calls_but_no_good_row() {
    let bench = Bench::new();
    let pipeline = "namespace = \"h\"\n[buckets.b.schema]\ntext = \"text\"\n[collections.c]\n\
         source = \"bucket:b\"\nextractor = \"hostile\"\nparameters = { act = \"positions\" }\n";
    bench.write("p.toml", pipeline);
    notes(&bench, "m.parquet", &[("a", "good"), ("b", "poison"), ("c", "good")]);
    let summary = bench.json(&["run", "p.toml", "--manifest", "m.parquet"]);
    assert_eq!(summary["batch"]["collections"][0]["succeeded"], 3, "{summary}");
    assert_eq!(bench.documents("c").len(), 3);
}
