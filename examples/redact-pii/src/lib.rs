//! Finds personal data in text and replaces it. See `README.md`.

mod card;
mod digits;
mod email;
mod iban;
mod ip;
mod phone;
mod pseudonym;
mod scan;
mod word;

use quarry_extractor::prelude::*;
use serde::Serialize;

use crate::scan::Scanner;

/// A row with more findings is rejected: their list alone would fill the memory of an instance.
const FINDINGS_MAX: usize = 100_000;

/// Room for a large text and what is left of it.
const MEMORY_BYTES: u64 = 64 << 20;

parameters! {
    /// What is looked for.
    #[derive(Copy)]
    pub enum Kind {
        Email,
        Phone,
        Iban,
        Card,
        Ipv4,
        Ipv6,
    }
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Email, Self::Phone, Self::Iban, Self::Card, Self::Ipv4, Self::Ipv6];

    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

parameters! {
    /// What stands in the place of a finding.
    #[derive(Copy)]
    pub enum Replace {
        /// Its kind: `[email]`.
        Label,
        /// Its kind and a hash of it, the same wherever it is found.
        Hash,
    }
}

parameters! {
    pub struct Parameters {
        /// What is replaced.
        pub kinds: Vec<Kind> = Kind::ALL.to_vec(),
        /// What stands in its place.
        pub replace: Replace = Replace::Label,
    }
}

input! {
    pub struct Input<'a> {
        /// The text that may have personal data in it.
        text: &'a str,
    }
}

output! {
    pub struct Redacted<'a> {
        /// The text without them.
        text: &'a str,
        /// What was found, in bytes of the text as it came in.
        findings: Json<'a, [Finding]>,
        /// How many were found.
        count: i64,
    }
}

/// Where something was found: bytes `start` to `end`, without `end`.
#[derive(Debug, Serialize)]
pub struct Finding {
    kind: &'static str,
    start: usize,
    end: usize,
}

pub struct RedactPii {
    wanted: [bool; Kind::ALL.len()],
    replace: Replace,
    text: String,
    findings: Vec<Finding>,
    value: String,
}

impl Extractor for RedactPii {
    const NAME: &'static str = "redact-pii";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "Replaces personal data in text";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Redacted<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        if parameters.kinds.is_empty() {
            return Err("parameter `kinds`: nothing is looked for".to_owned());
        }
        let mut wanted = [false; Kind::ALL.len()];
        for kind in parameters.kinds {
            wanted[kind as usize] = true;
        }
        Ok(Self {
            wanted,
            replace: parameters.replace,
            text: String::new(),
            findings: Vec::new(),
            value: String::new(),
        })
    }

    fn describe(&self, description: &mut Description) {
        description.memory_bytes(MEMORY_BYTES);
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        self.text.clear();
        self.findings.clear();
        let mut kept = 0;
        for found in Scanner::new(row.text) {
            if !self.wanted[found.kind as usize] {
                continue;
            }
            if self.findings.len() == FINDINGS_MAX {
                let message = format!("the text has more than {FINDINGS_MAX} findings");
                return Err(Reject::new("too_many_findings", message));
            }
            self.text.push_str(&row.text[kept..found.start]);
            self.text.push('[');
            self.text.push_str(found.kind.name());
            if let Replace::Hash = self.replace {
                self.text.push(':');
                let source = &row.text[found.start..found.end];
                pseudonym::push(found.kind, source, &mut self.value, &mut self.text);
            }
            self.text.push(']');
            kept = found.end;
            let (kind, start, end) = (found.kind.name(), found.start, found.end);
            self.findings.push(Finding { kind, start, end });
        }
        let text = if self.findings.is_empty() {
            row.text
        } else {
            self.text.push_str(&row.text[kept..]);
            &self.text
        };
        documents.push(Redacted {
            text,
            findings: Json(&self.findings),
            count: self.findings.len() as i64,
        });
        Ok(())
    }
}

quarry_extractor::export!(RedactPii);
