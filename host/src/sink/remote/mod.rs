//! A Qdrant server over gRPC: one Qdrant collection for each namespace.

mod convert;
mod retry;

use super::batch::Batches;
use super::{
    Hit, IndexSpec, LINEAGE, Layout, Page, SCROLL_LIMIT_MAX, Scroll, Search, VectorSink, filter,
};
use crate::error::{Code, Context, Error, Result};
use crate::model::{BatchId, Document, DocumentId, Filter, Name};
use qdrant_client::{Qdrant, QdrantError, qdrant};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Of one call. The client's own 5 s are too short for a large write to a busy server.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 6334;
/// In front of the namespace: others may use the same server.
const PREFIX: &str = "quarry_";

/// Objects of one delete operation and documents of one read.
const IDS_MAX: usize = 1_024;

pub struct QdrantSink {
    url: String,
    client: Qdrant,
    runtime: tokio::runtime::Handle,
    prefix: String,
    /// What [`VectorSink::prepare`] and reading found: saves a call for each write.
    layouts: RwLock<HashMap<Name, Arc<Layout>>>,
    preparing: Mutex<()>,
}

/// `qdrant://host[:6334]` (`qdrants://` over TLS) or the same with http(s), as the client wants it.
pub(super) fn parse_url(text: &str) -> Result<String> {
    let hint = "`qdrant://host:6334`, or `qdrants://host:6334` over TLS";
    let url = url::Url::parse(text)
        .context(Code::Invalid, || format!("`{text}` is not the address of a Qdrant server"))
        .map_err(|error| error.hint(hint))?;
    let scheme = match url.scheme() {
        "qdrant" | "http" => "http",
        "qdrants" | "https" => "https",
        other => {
            let message = format!("`{other}` is not the scheme of a Qdrant server");
            return Err(Error::invalid(message).hint(hint));
        }
    };
    let bare = url.path().trim_matches('/').is_empty() && url.query().is_none();
    let Some(host) = url.host_str().filter(|_| bare && url.username().is_empty()) else {
        return Err(
            Error::invalid(format!("`{text}` has to be scheme, host and port only")).hint(hint)
        );
    };
    Ok(format!("{scheme}://{host}:{}", url.port().unwrap_or(PORT)))
}

impl QdrantSink {
    /// Does not connect yet: that a server is away is found out at the first call.
    pub fn connect(
        url: &str,
        api_key: Option<String>,
        runtime: tokio::runtime::Handle,
    ) -> Result<QdrantSink> {
        let mut builder = Qdrant::from_url(&parse_url(url)?)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // It would print to stdout, which carries data.
            .skip_compatibility_check();
        if let Some(api_key) = api_key {
            builder = builder.api_key(api_key);
        }
        let client = builder
            .build()
            .context(Code::Invalid, || format!("can not use the vector engine at {url}"))?;
        Ok(QdrantSink {
            url: url.to_string(),
            client,
            runtime,
            prefix: PREFIX.to_string(),
            layouts: RwLock::default(),
            preparing: Mutex::default(),
        })
    }

    /// Names collections `prefix` + namespace instead of `quarry_` + namespace.
    pub fn with_prefix(self, prefix: &str) -> QdrantSink {
        QdrantSink { prefix: prefix.to_string(), ..self }
    }

    fn collection(&self, namespace: &Name) -> String {
        format!("{}{namespace}", self.prefix)
    }

    fn call<T, F>(&self, call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, QdrantError>>,
    {
        self.runtime.block_on(retry::calling(&self.url, call))
    }

    /// A call about one namespace, which may be gone.
    fn call_in<T, F>(&self, namespace: &Name, call: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, QdrantError>>,
    {
        self.call(call).map_err(|error| {
            if error.code() != Code::NotFound {
                return error;
            }
            self.remember(namespace, None);
            missing(namespace)
        })
    }

    fn remember(&self, namespace: &Name, layout: Option<Arc<Layout>>) {
        let mut layouts = self.layouts.write().unwrap_or_else(PoisonError::into_inner);
        match layout {
            Some(layout) => layouts.insert(namespace.clone(), layout),
            None => layouts.remove(namespace),
        };
    }

    fn known_layout(&self, namespace: &Name) -> Result<Arc<Layout>> {
        let layouts = self.layouts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(namespace) {
            return Ok(layout.clone());
        }
        drop(layouts);
        let layout = Arc::new(self.layout(namespace)?.ok_or_else(|| missing(namespace))?);
        self.remember(namespace, Some(layout.clone()));
        Ok(layout)
    }

    fn create(&self, namespace: &Name, layout: &Layout) -> Result<()> {
        let request = qdrant::CreateCollection {
            collection_name: self.collection(namespace),
            vectors_config: Some(convert::dense_config(layout)),
            sparse_vectors_config: Some(convert::sparse_config(layout)),
            payload: Some(qdrant::PayloadStorageParams {
                memory: Some(qdrant::Memory::Cold.into()),
            }),
            ..qdrant::CreateCollection::default()
        };
        match self.call(|| self.client.create_collection(request.clone())) {
            Ok(_) => {}
            // A second process was faster, or the answer to the first try was lost. What is there
            // is compared by the caller.
            Err(error) if error.code() == Code::Conflict => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn create_vector(&self, namespace: &Name, name: &str, layout: &Layout) -> Result<()> {
        let request = qdrant::CreateVectorNameRequest {
            collection_name: self.collection(namespace),
            wait: Some(true),
            vector_name: name.to_string(),
            vector_config: layout.vector(name).map(convert::added_vector),
            ..qdrant::CreateVectorNameRequest::default()
        };
        self.call_in(namespace, || self.client.create_vector_name(request.clone())).map(|_| ())
    }

    fn create_index(&self, namespace: &Name, spec: &IndexSpec) -> Result<()> {
        let request = qdrant::CreateFieldIndexCollection {
            collection_name: self.collection(namespace),
            wait: Some(true),
            field_name: spec.path.clone(),
            field_type: Some(convert::field_type(spec.kind).into()),
            ..qdrant::CreateFieldIndexCollection::default()
        };
        self.call_in(namespace, || self.client.create_field_index(request.clone())).map(|_| ())
    }

    fn delete_matching(&self, namespace: &Name, which: &Filter) -> Result<()> {
        self.remove_points(namespace, filter::to_remote(which)?.into())
    }

    fn remove_points(&self, namespace: &Name, which: qdrant::PointsSelector) -> Result<()> {
        let request = qdrant::DeletePoints {
            collection_name: self.collection(namespace),
            wait: Some(true),
            points: Some(which),
            ..qdrant::DeletePoints::default()
        };
        self.call_in(namespace, || self.client.delete_points(request.clone())).map(|_| ())
    }
}

impl VectorSink for QdrantSink {
    fn location(&self) -> String {
        self.url.clone()
    }

    fn prepare(&self, namespace: &Name, layout: &Layout) -> Result<()> {
        let wanted = Layout::merge(&Layout::default(), layout)?;
        let _alone = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
        let existing = match self.layout(namespace)? {
            Some(existing) => existing,
            None => {
                self.create(namespace, &wanted)?;
                self.layout(namespace)?.ok_or_else(|| missing(namespace))?
            }
        };
        let merged = Layout::merge(&existing, &wanted)?;
        for spec in &merged.vectors {
            if existing.vector(&spec.name).is_none() {
                self.create_vector(namespace, &spec.name, &merged)?;
            }
        }
        // Idempotent and cheap, so those of the lineage are not looked up first.
        let lineage = LINEAGE.map(|(path, kind)| IndexSpec { path: path.to_string(), kind });
        let added = merged.indexes.iter().filter(|spec| !existing.indexes.contains(spec));
        for spec in lineage.iter().chain(added) {
            self.create_index(namespace, spec)?;
        }
        self.remember(namespace, Some(Arc::new(merged)));
        Ok(())
    }

    fn layout(&self, namespace: &Name) -> Result<Option<Layout>> {
        let collection = self.collection(namespace);
        let answer = match self.call(|| self.client.collection_info(&*collection)) {
            Ok(answer) => answer,
            Err(error) if error.code() == Code::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        convert::layout(answer.result.unwrap_or_default()).map(Some)
    }

    fn upsert(&self, namespace: &Name, documents: Vec<Document>) -> Result<()> {
        let layout = self.known_layout(namespace)?;
        documents.iter().try_for_each(|document| layout.check(document))?;
        for (batch, _) in Batches::new(documents) {
            let request = qdrant::UpsertPoints {
                collection_name: self.collection(namespace),
                wait: Some(true),
                points: batch.into_iter().map(convert::point).collect(),
                ..qdrant::UpsertPoints::default()
            };
            self.call_in(namespace, || self.client.upsert_points(request.clone()))?;
        }
        Ok(())
    }

    /// Nothing to do: with `wait=true` a write is answered when it is in the server's log, and
    /// durability beyond that is the server's configuration.
    fn flush(&self, namespace: &Name) -> Result<()> {
        self.known_layout(namespace).map(|_| ())
    }

    fn delete_stale(
        &self,
        namespace: &Name,
        collection: &str,
        objects: &[String],
        run: u64,
    ) -> Result<u64> {
        let mut deleted = 0;
        for objects in objects.chunks(IDS_MAX) {
            let stale = filter::stale(collection, objects, run);
            let found = self.count(namespace, Some(&stale))?;
            if found == 0 {
                continue;
            }
            self.delete_matching(namespace, &stale)?;
            deleted += found;
        }
        Ok(deleted)
    }

    fn delete_batch(&self, namespace: &Name, batch: &BatchId) -> Result<u64> {
        let written = filter::of_batch(batch);
        let found = self.count(namespace, Some(&written))?;
        if found > 0 {
            self.delete_matching(namespace, &written)?;
        }
        Ok(found)
    }

    fn delete(&self, namespace: &Name, ids: &[DocumentId]) -> Result<()> {
        for ids in ids.chunks(IDS_MAX) {
            self.remove_points(namespace, convert::ids(ids).into())?;
        }
        Ok(())
    }

    fn set_fields(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        fields: &Map<String, Value>,
    ) -> Result<()> {
        let (set, unset) = super::layout::split_fields(fields)?;
        for ids in ids.chunks(IDS_MAX) {
            // By filter: a list of ids is refused when one of them does not exist.
            let which = qdrant::Filter::must([qdrant::Condition::has_id(convert::ids(ids))]);
            if !set.is_empty() {
                let request = qdrant::SetPayloadPoints {
                    collection_name: self.collection(namespace),
                    wait: Some(true),
                    payload: convert::payload(set.clone()),
                    points_selector: Some(which.clone().into()),
                    ..qdrant::SetPayloadPoints::default()
                };
                self.call_in(namespace, || self.client.set_payload(request.clone()))?;
            }
            if !unset.is_empty() {
                let request = qdrant::DeletePayloadPoints {
                    collection_name: self.collection(namespace),
                    wait: Some(true),
                    keys: unset.clone(),
                    points_selector: Some(which.into()),
                    ..qdrant::DeletePayloadPoints::default()
                };
                self.call_in(namespace, || self.client.delete_payload(request.clone()))?;
            }
        }
        Ok(())
    }

    fn get(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        with_vectors: bool,
    ) -> Result<Vec<Document>> {
        let mut documents = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_MAX) {
            let request = qdrant::GetPoints {
                collection_name: self.collection(namespace),
                ids: ids.iter().copied().map(convert::point_id).collect(),
                with_payload: Some(true.into()),
                with_vectors: Some(with_vectors.into()),
                ..qdrant::GetPoints::default()
            };
            let answer = self.call_in(namespace, || self.client.get_points(request.clone()))?;
            // The server answers in any order.
            let mut found = HashMap::new();
            for point in answer.result {
                let document = convert::document(point)?;
                found.insert(document.id, document);
            }
            documents.extend(ids.iter().filter_map(|id| found.remove(id)));
        }
        Ok(documents)
    }

    fn scroll(&self, namespace: &Name, scroll: &Scroll) -> Result<Page> {
        let limit = super::check_limit(scroll.limit, SCROLL_LIMIT_MAX)?;
        let request = qdrant::ScrollPoints {
            collection_name: self.collection(namespace),
            filter: scroll.filter.as_ref().map(filter::to_remote).transpose()?,
            offset: scroll.from.map(convert::point_id),
            limit: Some(limit as u32),
            with_payload: Some(true.into()),
            with_vectors: Some(scroll.with_vectors.into()),
            ..qdrant::ScrollPoints::default()
        };
        let answer = self.call_in(namespace, || self.client.scroll(request.clone()))?;
        let documents = answer.result.into_iter().map(convert::document);
        let next = answer.next_page_offset.map(|id| convert::document_id(Some(id))).transpose()?;
        Ok(Page { documents: documents.collect::<Result<_>>()?, next })
    }

    fn count(&self, namespace: &Name, filter: Option<&Filter>) -> Result<u64> {
        let request = qdrant::CountPoints {
            collection_name: self.collection(namespace),
            filter: filter.map(filter::to_remote).transpose()?,
            exact: Some(true),
            ..qdrant::CountPoints::default()
        };
        let answer = self.call_in(namespace, || self.client.count(request.clone()))?;
        Ok(answer.result.unwrap_or_default().count)
    }

    fn search(&self, namespace: &Name, search: &Search) -> Result<Vec<Hit>> {
        let layout = self.known_layout(namespace)?;
        let Some(limits) = super::check_search(&layout, search)? else { return Ok(Vec::new()) };
        let filter = search.filter.as_ref().map(filter::to_remote).transpose()?;
        let mut request = qdrant::QueryPoints {
            collection_name: self.collection(namespace),
            limit: Some(limits.fused as u64),
            with_payload: Some(true.into()),
            ..qdrant::QueryPoints::default()
        };
        match search.vectors.as_slice() {
            [(name, vector)] => {
                request.query = Some(convert::query(vector));
                request.using = Some(name.clone());
                request.filter = filter;
            }
            vectors => {
                let list = vectors.iter().map(|(name, vector)| qdrant::PrefetchQuery {
                    query: Some(convert::query(vector)),
                    using: Some(name.clone()),
                    filter: filter.clone(),
                    limit: Some(limits.each as u64),
                    ..qdrant::PrefetchQuery::default()
                });
                request.prefetch = list.collect();
                // The plain fusion has the k that the embedded engine is given, and every server
                // of the last years knows it.
                let fusion = qdrant::query::Variant::Fusion(qdrant::Fusion::Rrf.into());
                request.query = Some(qdrant::Query { variant: Some(fusion) });
            }
        }
        let answer = self.call_in(namespace, || self.client.query(request.clone()))?;
        let hits = answer.result.into_iter().map(convert::hit).collect::<Result<_>>()?;
        Ok(super::rank(hits, search.limit))
    }

    /// The server optimizes by itself.
    fn optimize(&self, namespace: &Name) -> Result<()> {
        self.known_layout(namespace).map(|_| ())
    }

    fn remove(&self, namespace: &Name) -> Result<()> {
        let collection = self.collection(namespace);
        self.remember(namespace, None);
        match self.call(|| self.client.delete_collection(&*collection)) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Code::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn missing(namespace: &Name) -> Error {
    Error::new(Code::NotFound, format!("namespace `{namespace}` has no vectors yet"))
}
