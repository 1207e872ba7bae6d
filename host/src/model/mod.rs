//! The nouns: plain data without I/O. Nothing here knows how it is stored, sent or executed.

mod capability;
mod description;
mod document;
mod event;
mod filter;
mod funnel;
mod ids;
mod scope;
mod status;

pub use capability::{Ask, Capability, Credential, Grants, HostPattern, Network, variable};
pub use description::{Description, Distance, Field, FieldKind, Input};
pub use document::{
    Document, Enrichment, LINEAGE_FIELD, Lineage, SparseVector, VECTOR_VALUE_MAX, Vector,
};
pub use event::{EVENT_KINDS, EVERY_EVENT, FOREIGN_EVENT_KINDS};
pub use filter::{Condition, Filter, Operator};
pub use funnel::Funnel;
pub use ids::{
    BatchId, BucketId, CollectionId, DocumentId, EventId, ExtractorRef, KeyId, Name, NamespaceId,
    ObjectId, ScheduleId, TaskId, UploadId, WebhookId,
};
pub use scope::Scope;
pub use status::{BatchEvent, BatchStatus};
