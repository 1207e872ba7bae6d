//! A vector sink in memory whose calls can fail. What was not flushed is lost with the process: a
//! power cut, which is worse than a kill.

use super::faults::{Faults, Happens, Judgement, Refusal};
use quarry::error::{Code, Error, Result};
use quarry::model::{
    BatchId, Condition, Document, DocumentId, Filter, LINEAGE_FIELD, Name, Operator,
};
use quarry::sink::{Hit, Layout, Page, Scroll, Search, VectorSink};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Documents = BTreeMap<(Name, DocumentId), Document>;

/// What outlives the simulated process.
#[derive(Default)]
pub(crate) struct SinkDisk {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    layouts: BTreeMap<Name, Layout>,
    visible: Documents,
    durable: Documents,
}

impl SinkDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lose_what_was_not_flushed(&self) {
        let mut state = self.state();
        state.visible = state.durable.clone();
    }

    pub(crate) fn documents(&self) -> Vec<Document> {
        self.state().visible.values().cloned().collect()
    }
}

pub(crate) struct ModelSink {
    pub(crate) disk: Arc<SinkDisk>,
    pub(crate) faults: Arc<Faults>,
}

fn lineage<'a>(document: &'a Document, field: &str) -> Option<&'a serde_json::Value> {
    document.payload.get(LINEAGE_FIELD)?.get(field)
}

pub(crate) fn is_of(document: &Document, batch: &BatchId) -> bool {
    lineage(document, "batch").is_some_and(|own| own == batch.as_str())
}

fn run_of(document: &Document) -> u64 {
    lineage(document, "run").and_then(serde_json::Value::as_u64).unwrap_or(0)
}

impl ModelSink {
    fn judged<T>(
        &self,
        site: &'static str,
        effect: impl FnOnce(&mut State, Happens) -> Result<T>,
    ) -> Result<T> {
        let Judgement { happens, answer } = self.faults.judge(site);
        let done = match happens {
            Happens::Not => None,
            Happens::Half | Happens::Whole => Some(effect(&mut self.disk.state(), happens)?),
        };
        match (answer, done) {
            (None, Some(done)) => Ok(done),
            (refusal, _) => {
                let refusal = refusal.unwrap_or(Refusal::Transient);
                let code = match refusal {
                    Refusal::Permanent => Code::Invalid,
                    Refusal::Full => Code::StorageFull,
                    Refusal::Transient | Refusal::Dead => Code::Unavailable,
                };
                Err(Error::new(code, format!("the vector sink can not {site}")).source(refusal))
            }
        }
    }
}

fn not_simulated<T>(what: &str) -> Result<T> {
    Err(Error::internal(format!("the simulated sink can not {what}")))
}

impl VectorSink for ModelSink {
    fn location(&self) -> String {
        "simulated".to_string()
    }

    fn prepare(&self, namespace: &Name, layout: &Layout) -> Result<()> {
        self.judged("prepare", |state, _| {
            let known = state.layouts.get(namespace).cloned().unwrap_or_default();
            let merged = Layout::merge(&known, layout)?;
            state.layouts.insert(namespace.clone(), merged);
            Ok(())
        })
    }

    fn layout(&self, namespace: &Name) -> Result<Option<Layout>> {
        Ok(self.disk.state().layouts.get(namespace).cloned())
    }

    fn upsert(&self, namespace: &Name, documents: Vec<Document>) -> Result<()> {
        self.judged("upsert", |state, happens| {
            let layout = state.layouts.get(namespace).cloned().unwrap_or_default();
            documents.iter().try_for_each(|document| layout.check(document))?;
            let count = match happens {
                Happens::Half => documents.len() / 2,
                Happens::Not | Happens::Whole => documents.len(),
            };
            for document in documents.into_iter().take(count) {
                state.visible.insert((namespace.clone(), document.id), document);
            }
            Ok(())
        })
    }

    fn flush(&self, _: &Name) -> Result<()> {
        self.judged("flush", |state, happens| {
            if happens == Happens::Whole {
                state.durable = state.visible.clone();
            }
            Ok(())
        })
    }

    fn delete_stale(
        &self,
        namespace: &Name,
        collection: &str,
        objects: &[String],
        run: u64,
    ) -> Result<u64> {
        self.judged("delete stale", |state, _| {
            let before = state.visible.len();
            state.visible.retain(|(own, _), document| {
                let object = lineage(document, "object").and_then(|value| value.as_str());
                let stale = own == namespace
                    && lineage(document, "collection").is_some_and(|c| c == collection)
                    && object.is_some_and(|object| objects.iter().any(|o| o == object))
                    && run_of(document) < run;
                !stale
            });
            Ok((before - state.visible.len()) as u64)
        })
    }

    fn delete_batch(&self, namespace: &Name, batch: &BatchId) -> Result<u64> {
        self.judged("delete batch", |state, _| {
            let before = state.visible.len();
            let gone = |own: &Name, document: &Document| own == namespace && is_of(document, batch);
            state.visible.retain(|(own, _), document| !gone(own, document));
            Ok((before - state.visible.len()) as u64)
        })
    }

    fn delete(&self, namespace: &Name, ids: &[DocumentId]) -> Result<()> {
        self.judged("delete", |state, _| {
            for id in ids {
                state.visible.remove(&(namespace.clone(), *id));
            }
            Ok(())
        })
    }

    fn set_fields(
        &self,
        namespace: &Name,
        ids: &[DocumentId],
        fields: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<()> {
        self.judged("set fields", |state, _| {
            for id in ids {
                let Some(found) = state.visible.get_mut(&(namespace.clone(), *id)) else {
                    continue;
                };
                for (key, value) in fields {
                    found.payload.insert(key.clone(), value.clone());
                }
                found.payload.retain(|_, value| !value.is_null());
            }
            Ok(())
        })
    }

    fn get(&self, namespace: &Name, ids: &[DocumentId], _: bool) -> Result<Vec<Document>> {
        let state = self.disk.state();
        let get = |id: &DocumentId| state.visible.get(&(namespace.clone(), *id)).cloned();
        Ok(ids.iter().filter_map(get).collect())
    }

    fn scroll(&self, _: &Name, _: &Scroll) -> Result<Page> {
        not_simulated("scroll")
    }

    /// By lineage fields that equal something, which is all that the engine asks.
    fn count(&self, namespace: &Name, filter: Option<&Filter>) -> Result<u64> {
        let state = self.disk.state();
        let own = state.visible.iter().filter(|((own, _), _)| own == namespace);
        let fits = |document: &Document| {
            filter.iter().flat_map(|filter| &filter.and).all(|condition| match condition {
                Condition::Field { field, operator: Operator::Eq, value } => {
                    let name = field.rsplit('.').next().unwrap_or_default();
                    lineage(document, name) == Some(value)
                }
                Condition::Field { .. } | Condition::Nested(_) => false,
            })
        };
        Ok(own.filter(|(_, document)| fits(document)).count() as u64)
    }

    fn search(&self, _: &Name, _: &Search) -> Result<Vec<Hit>> {
        not_simulated("search")
    }

    fn optimize(&self, _: &Name) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _: &Name) -> Result<()> {
        not_simulated("remove a namespace")
    }
}
