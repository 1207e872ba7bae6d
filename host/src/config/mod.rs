//! What a user writes: pipeline files and settings; and sizes that are not the user's business by
//! default.

mod locate;
mod pipeline;
mod server;
mod values;

pub use pipeline::{
    Bucket, BucketField, Collection, FieldType, Index, IndexType, Passthrough, PassthroughFull,
    Pipeline, Sources,
};
pub use server::{Config, LogFormat, Origin, Places, Resolved, places, resolve};

/// Size of the state's files from which they are compacted, unless a setting says otherwise.
pub const COMPACT_FROM_BYTES: u64 = 4 << 20;
/// Rows of a partition: the unit of work, retry and commit.
pub const PARTITION_ROWS: usize = 1024;
/// Bytes of a partition's input cells, so that large rows make small partitions.
pub const PARTITION_BYTES: usize = 32 << 20;
/// A pipeline file may be this large.
pub const PIPELINE_BYTES_MAX: u64 = 1 << 20;
/// Collections in one pipeline.
pub const COLLECTIONS_MAX: usize = 64;
