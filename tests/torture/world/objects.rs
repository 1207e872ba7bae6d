//! An object store in memory whose calls can fail.

use super::faults::{Faults, Happens, Refusal};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::Arc;

/// The memory outlives the simulated process.
pub(crate) struct Objects {
    pub(crate) memory: Arc<InMemory>,
    pub(crate) faults: Arc<Faults>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated objects")
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated objects")
    }
}

fn failed(refusal: Refusal, path: &str) -> object_store::Error {
    match refusal {
        Refusal::Permanent => object_store::Error::PermissionDenied {
            path: path.to_string(),
            source: Box::new(refusal),
        },
        Refusal::Transient | Refusal::Full | Refusal::Dead => {
            object_store::Error::Generic { store: "simulated", source: Box::new(refusal) }
        }
    }
}

/// Which kind of object it is, as a site of faults.
fn site(verb: &'static str, path: &Path) -> &'static str {
    let kinds: [(&str, [&'static str; 2]); 8] = [
        ("/commits/", ["put marker", "get marker"]),
        ("/dead/", ["put dead letters", "get dead letters"]),
        ("/rows-", ["put artifact", "get artifact"]),
        ("/part-", ["put part", "get part"]),
        ("manifest.json", ["put manifest", "get manifest"]),
        ("summary.json", ["put summary", "get summary"]),
        ("history-", ["put history", "get history"]),
        ("", ["put object", "get object"]),
    ];
    let found = kinds.iter().find(|(word, _)| path.as_ref().contains(word));
    let [put, get] = found.map_or(["put object", "get object"], |(_, sites)| *sites);
    if verb == "put" { put } else { get }
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let judged = self.faults.judge(site("put", location));
        // An object appears whole or not at all, so half a put is none.
        let done = match judged.happens {
            Happens::Whole => Some(self.memory.put_opts(location, payload, options).await),
            Happens::Half | Happens::Not => None,
        };
        match (judged.answer, done) {
            (None, Some(done)) => done,
            (refusal, _) => Err(failed(refusal.unwrap_or(Refusal::Transient), location.as_ref())),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        match self.faults.judge("begin upload").answer {
            None => self.memory.put_multipart_opts(location, options).await,
            Some(refusal) => Err(failed(refusal, location.as_ref())),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.faults.judge(site("get", location)).answer {
            None => self.memory.get_opts(location, options).await,
            Some(refusal) => Err(failed(refusal, location.as_ref())),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let judged = self.faults.judge("delete");
        match judged.answer {
            None => self.memory.delete_stream(locations),
            Some(refusal) => {
                futures::stream::once(async move { Err(failed(refusal, "delete")) }).boxed()
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.faults.judge("list").answer {
            None => self.memory.list(prefix),
            Some(refusal) => {
                futures::stream::once(async move { Err(failed(refusal, "list")) }).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match self.faults.judge("list").answer {
            None => self.memory.list_with_delimiter(prefix).await,
            Some(refusal) => Err(failed(refusal, "list")),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match self.faults.judge("copy").answer {
            None => self.memory.copy_opts(from, to, options).await,
            Some(refusal) => Err(failed(refusal, from.as_ref())),
        }
    }
}
