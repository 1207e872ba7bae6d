use quarry_extractor::prelude::*;

/// Most bytes of a file that are looked at.
const FILE_BYTES_MAX: usize = 8 << 20;

input! {
    pub struct Input<'a> {
        /// A PNG image.
        file: Blob<'a>,
    }
}

output! {
    pub struct Output {
        /// Pixels a row.
        width: i64,
        /// Chunks of text in the file.
        texts: i64,
    }
}

pub struct Png;

impl Extractor for Png {
    const NAME: &'static str = "png";
    const VERSION: &'static str = "1.0.0";
    const SUMMARY: &'static str = "Reads the header of PNG images";
    type Parameters = NoParameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Output;

    fn new(_: NoParameters) -> Result<Self, String> {
        Ok(Self)
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        let mut header = [0; 24];
        if row.file.read(0, &mut header)? < header.len() || !header.starts_with(b"\x89PNG") {
            return Err(Reject::new("not_png", "the file is not a PNG image"));
        }
        let [.., a, b, c, d, _, _, _, _] = header;
        let bytes = row.file.read_all(FILE_BYTES_MAX)?;
        documents.push(Output {
            width: i64::from(u32::from_be_bytes([a, b, c, d])),
            texts: bytes.windows(4).filter(|name| name == b"tEXt").count() as i64,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quarry_extractor::testing::{Harness, json};

    use super::Png;

    #[test]
    fn a_header_is_read_and_other_files_are_rejected() {
        let mut harness = Harness::<Png>::new(json!({})).unwrap();
        assert_eq!(harness.row(json!({"file": "GIF89a"})).unwrap_err().code, "not_png");
        let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80"[..], &[0; 40]].concat();
        let documents = harness.row(json!({"file": png})).unwrap();
        assert_eq!(documents, [json!({"width": 640, "texts": 0})]);
    }
}
