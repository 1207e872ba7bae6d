//! A hostile guest costs its rows, not the batch and not the host.

use super::notes;
use crate::support::quarry::Bench;

/// One poisoned row among good ones.
fn check(act: &str, code: &str) {
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
    let run = ["run", "p.toml", "--manifest", "m.parquet", "--call-ms-max", "100"];
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
    ($($name:ident: $act:literal => $code:literal,)+) => {
        $(
            #[test]
            fn $name() {
                check($act, $code);
            }
        )+
    };
}

acts! {
    a_trap_costs_its_row: "trap" => "trap",
    an_endless_loop_costs_its_row: "loop" => "timeout",
    a_memory_bomb_costs_its_row: "memory" => "memory_limit",
    too_many_documents_cost_their_row: "documents:1000000" => "output_limit",
    a_wrong_dimension_costs_its_row: "dimension" => "contract",
    a_nan_costs_its_row: "nan" => "contract",
    duplicate_positions_cost_their_row: "positions" => "contract",
}
