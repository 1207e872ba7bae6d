#![doc = include_str!("../README.md")]

mod dense;
mod hash;
mod parameters;
mod sparse;
mod stopwords;
#[cfg(test)]
mod tests;
mod tokens;

use quarry_extractor::prelude::*;

pub use crate::parameters::{Parameters, Stopwords, Tokens};

input! {
    /// A row to embed.
    pub struct Input<'a> {
        /// The text to embed.
        pub text: &'a str,
    }
}

output! {
    /// The vectors of a text.
    pub struct Embedding<'a> {
        /// Signed counts of hashed tokens, normalised; all zero for a text without tokens.
        pub embedding: Dense<'a>,
        /// A weight for every different token, normalised.
        pub sparse: Sparse<'a>,
        /// How many tokens the text has, stop words not counted.
        pub tokens: i64,
    }
}

/// The extractor.
pub struct TextEmbed {
    parameters: Parameters,
    stopwords: stopwords::Stopwords,
    edges: tokens::Edges,
    hashes: Vec<u64>,
    dense: dense::Dense,
    sparse: sparse::Sparse,
}

impl TextEmbed {
    fn embed(&mut self, text: &str, with: impl FnOnce(Embedding<'_>)) {
        match self.parameters.tokens {
            Tokens::Unicode => tokens::unicode(text, &mut self.hashes),
            Tokens::Ascii => tokens::ascii(text, &mut self.edges, &mut self.hashes),
        }
        self.stopwords.remove_from(&mut self.hashes);
        let (indices, values) = match self.parameters.sparse {
            true => self.sparse.weigh(&self.hashes),
            false => (&[][..], &[][..]),
        };
        let sparse = Sparse { indices, values };
        let tokens = self.hashes.len() as i64;
        self.dense.embed(&self.hashes, |vector| {
            with(Embedding { embedding: Dense(vector), sparse, tokens });
        });
    }
}

impl Extractor for TextEmbed {
    const NAME: &'static str = "text-embed";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "Embeds text as hashed words: a dense vector and sparse term weights, no model needed";

    type Parameters = Parameters;
    type Input<'a> = Input<'a>;
    type Output<'a> = Embedding<'a>;

    fn new(parameters: Parameters) -> Result<Self, String> {
        parameters.check()?;
        Ok(Self {
            stopwords: match parameters.stopwords {
                Stopwords::None => stopwords::Stopwords::default(),
                Stopwords::English => stopwords::Stopwords::english(),
            },
            edges: tokens::Edges::default(),
            hashes: Vec::new(),
            dense: dense::Dense::new(parameters.dimensions),
            sparse: sparse::Sparse::default(),
            parameters,
        })
    }

    fn describe(&self, description: &mut Description) {
        // Not cosine: a text without tokens has a vector of zeros. The vectors are normalised, so
        // their dot product is the cosine.
        description
            .vector("embedding", self.parameters.dimensions, Distance::Dot)
            .memory_bytes(8 << 20)
            .queries();
        if !self.parameters.sparse {
            description.omit("sparse");
        }
    }

    fn extract(&mut self, row: Input<'_>, documents: &mut Documents<Self>) -> Result<(), Reject> {
        self.embed(row.text, |embedding| documents.push(embedding));
        Ok(())
    }

    fn embed_query(&mut self, text: &str) -> Result<Query, String> {
        let with_sparse = self.parameters.sparse;
        let mut query = Query::new();
        self.embed(text, |embedding| {
            query = Query::new().dense("embedding", embedding.embedding.0);
            if with_sparse {
                let Sparse { indices, values } = embedding.sparse;
                query = std::mem::take(&mut query).sparse("sparse", indices, values);
            }
        });
        Ok(query)
    }
}

quarry_extractor::export!(TextEmbed);
