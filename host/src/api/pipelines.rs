//! `/v1/pipelines`: pipeline files, before anything is made of them.

use super::call::Call;
use super::operation::{NoQuery, Table};
use crate::config::Pipeline;
use crate::error::Result;
use crate::model::Scope;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) fn declare(table: &mut Table) {
    table.tag("pipelines");
    table
        .post(
            "/v1/pipelines/check",
            "check_pipeline",
            "Plan a pipeline; nothing is made and nothing changes",
            check,
        )
        .scope(Scope::Read);
}

/// A pipeline that could be run.
#[derive(Serialize, JsonSchema)]
struct CheckedPipeline {
    tiers: u64,
    /// By tier, then by name.
    collections: Vec<CheckedCollection>,
}

#[derive(Serialize, JsonSchema)]
struct CheckedCollection {
    name: String,
    /// Longest way from a bucket.
    tier: u64,
    feature_extractor_name: String,
    /// The exact one.
    version: String,
    /// SHA-256 of the component.
    digest: String,
    /// Name in the vector sink by output.
    vectors: BTreeMap<String, String>,
}

/// The field of an error is a pointer into the pipeline.
fn check(call: &Call, _: NoQuery, body: Pipeline) -> Result<CheckedPipeline> {
    let plan = call.control.engine.plan(&body)?;
    let collections = plan.collections.iter().map(|planned| {
        let outputs = &planned.description.outputs;
        let vectors = planned.vectors.iter();
        CheckedCollection {
            name: planned.name.to_string(),
            tier: planned.tier as u64,
            feature_extractor_name: planned.extractor.name.clone(),
            version: planned.extractor.version.clone(),
            digest: planned.extractor.digest.clone(),
            vectors: vectors
                .map(|vector| (outputs[vector.output].name.clone(), vector.name.clone()))
                .collect(),
        }
    });
    Ok(CheckedPipeline { tiers: plan.tiers() as u64, collections: collections.collect() })
}
