//! The bytes of components: told what they are without compiling them, and loaded under limits.

use super::guest::{self, Configure};
use super::output::descriptions;
use super::random::{Random, mutate};
use super::{Target, answer};
use anyhow::{Context, Result, ensure};
use quarry::error::Code;
use quarry::plugin::{Extractor, Host, Input, InputColumn, Limits, inspect};
use serde_json::json;
use std::path::Path;

const CODES: &[Code] = &[Code::Extractor];
/// What a stamp may say.
const SECTIONS: [&str; 9] = [
    "(@custom \"quarry:api\" \"0.1.0\")",
    "(@custom \"quarry:api\" \"0.1\")",
    "(@custom \"quarry:api\" \"18446744073709551616.1.0\")",
    "(@custom \"quarry:api\" \"\\ff\\fe\")",
    "(@custom \"quarry:extractor\" \"{\\22name\\22:\\22a\\22,\\22version\\22:\\221\\22}\")",
    "(@custom \"quarry:extractor\" \"[1]\")",
    "(core module (@custom \"quarry:api\" \"0.2.0\"))",
    "(component (@custom \"quarry:extractor\" \"{}\"))",
    "(@custom \"quarry:extractor\" \"\")",
];

struct Components {
    host: Host,
    seeds: Vec<Vec<u8>>,
}

pub(super) fn open(_: &Path) -> Result<Box<dyn Target>> {
    // A damaged guest may loop in each of its functions.
    let host = Host::new(None, Limits { call_ms_max: 200, ..guest::limits() })?;
    let mut seeds: Vec<Vec<u8>> = descriptions()
        .into_iter()
        .map(|description| guest::scripted(&description.to_string(), &Configure::Description))
        .collect();
    let small = json!({ "name": "small", "version": "1.0.0", "inputs": [], "outputs": [] });
    seeds.push(guest::scripted(&small.to_string(), &Configure::Parameters));
    for section in SECTIONS {
        let stamp = wat::parse_str(format!("(component {section})"))?;
        // The sections of a component behind those of another one are a component, too.
        seeds.push([&seeds[4][..], &stamp[8..]].concat());
        seeds.push(stamp);
    }
    Ok(Box::new(Components { host, seeds }))
}

impl Target for Components {
    fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut wasm = self.seeds[random.below(self.seeds.len())].clone();
        let other = &self.seeds[random.below(self.seeds.len())];
        mutate(&mut wasm, other, random);
        if random.one_in(8) {
            // Sections behind a whole component.
            wasm.extend_from_slice(other.get(8..).unwrap_or_default());
        }
        wasm
    }

    fn judge(&mut self, input: &[u8]) -> Result<bool> {
        let inspection = answer(inspect(input), CODES)?;
        let loaded = answer(self.host.load(input), CODES)?;
        let Some(component) = loaded else { return Ok(false) };
        let inspection = inspection.context("loaded, but refused by inspect")?;
        ensure!(component.inspection() == &inspection, "two inspections differ");
        ensure!(inspection.bytes == input.len(), "{} bytes", inspection.bytes);
        let granted = ["input@0.1.", "output@0.1.", "log@0.1."];
        for name in &inspection.imports {
            let interface = name.strip_prefix("quarry:extractor/").unwrap_or("");
            let known = granted.iter().any(|known| interface.starts_with(known));
            ensure!(known, "`{name}` is granted");
        }
        let codes = &[Code::Extractor, Code::Invalid];
        if let Some(mut instance) = answer(component.instantiate(&json!({})), codes)? {
            let columns = vec![InputColumn::Absent; instance.description().inputs.len()];
            let rows = 3;
            if let Ok(output) = instance.run(&Input { rows, columns }) {
                ensure!(output.counts.len() == rows, "{} counts", output.counts.len());
            }
            answer(instance.embed_query("{}"), codes)?;
        }
        Ok(true)
    }
}
