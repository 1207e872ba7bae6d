//! The one setting that says where documents go.

use super::{QdrantSink, VectorSink};
use crate::error::{Error, Result};
use std::path::Path;
use std::str::FromStr;

/// `edge`, `none`, or the URL of a Qdrant server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkSpec {
    /// The embedded engine, under the data directory.
    Edge,
    /// Documents stay in the object store and can not be searched.
    None,
    Remote {
        url: String,
        api_key: Option<String>,
    },
}

impl FromStr for SinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "edge" => Ok(SinkSpec::Edge),
            "none" => Ok(SinkSpec::None),
            url if url.contains("://") => {
                super::remote::parse_url(url)?;
                Ok(SinkSpec::Remote { url: url.to_string(), api_key: None })
            }
            other => Err(Error::invalid(format!("`{other}` is not a vector sink"))
                .hint("`edge`, `none` or `qdrant://host:6334`")),
        }
    }
}

/// Opens what `spec` names; `None` for the spec `none`. `data` is the data directory.
pub fn open(
    spec: &SinkSpec,
    data: &Path,
    runtime: &tokio::runtime::Handle,
) -> Result<Option<Box<dyn VectorSink>>> {
    match spec {
        SinkSpec::None => Ok(None),
        SinkSpec::Edge => open_edge(&data.join("vectors")).map(Some),
        SinkSpec::Remote { url, api_key } => {
            let sink = QdrantSink::connect(url, api_key.clone(), runtime.clone())?;
            Ok(Some(Box::new(sink)))
        }
    }
}

#[cfg(feature = "edge")]
fn open_edge(directory: &Path) -> Result<Box<dyn VectorSink>> {
    Ok(Box::new(super::EdgeSink::open(directory)?))
}

#[cfg(not(feature = "edge"))]
fn open_edge(_: &Path) -> Result<Box<dyn VectorSink>> {
    Err(Error::invalid("this build has no embedded vector engine (cargo feature `edge`)")
        .hint("use `qdrant://host:6334` or `none`"))
}
