//! What one instance may use. Units are in the names; all are tested on both sides.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $kind:ty = $default:expr;)+) => {
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])* pub $name: $kind,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// The limits that have a number, in the order of the documentation.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Sets one by its name.
            pub fn set(&mut self, name: &str, value: u64) -> Result<()> {
                check(name, value)?;
                match name {
                    $(stringify!($name) => {
                        self.$name = <$kind>::try_from(value).map_err(|_| too_large(name, value))?;
                    })+
                    _ => return Err(unknown(name)),
                }
                Ok(())
            }

            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => u64::try_from(self.$name).ok(),)+
                    _ => None,
                }
            }
        }
    };
}

limits! {
    /// Linear memory of all memories of an instance.
    memory_bytes_max: usize = 512 << 20;
    memories_max: usize = 4;
    /// Elements of all tables of an instance.
    table_elements_max: usize = 100_000;
    tables_max: usize = 16;
    /// Core instances a component is made of. One of Python is 38: its interpreter, the C library
    /// and their shared libraries are modules of their own, each trapping stub of WASI, too.
    core_instances_max: usize = 64;
    /// Handles to resources that are open at once.
    handles_max: usize = 64;
    /// Wall time of one call: a row batch, a query, configuring.
    call_ms_max: u64 = 30_000;
    /// Units of wasmtime's fuel of one call, about an instruction each; 0 for no such limit. The
    /// operator's: counting makes all extractors slower, so it is compiled in only where it is set.
    fuel_max: u64 = 0;
    /// The operator's: the same for all extractors.
    stack_bytes_max: usize = 512 << 10;
    /// Calls of the host's functions in one call.
    host_calls_max: u64 = 1_000_000;
    /// Bytes that pass to the host at once: arguments of one of its functions, or what is returned.
    hostcall_bytes_max: usize = (64 << 20) + (1 << 20);
    /// Bytes a call may make: for each document 16 and the fixed part of its columns (a dense
    /// vector, a number, 4 for what varies), and the bytes that vary.
    output_bytes_max: usize = 64 << 20;
    documents_per_row_max: u32 = 10_000;
    /// Of one call.
    documents_max: u32 = 1_000_000;
    /// Bytes of one utf8, json, blob or multi value.
    value_bytes_max: usize = 32 << 20;
    /// Levels of lists and objects in a JSON value; more than 20 no sink takes.
    json_depth_max: u32 = 20;
    log_lines_max: usize = 1_000;
    log_line_bytes_max: usize = 4 << 10;
    /// Of all lines that are kept.
    log_bytes_max: usize = 512 << 10;
    component_bytes_max: usize = 64 << 20;
    /// Bytes of one blob cell.
    cell_bytes_max: u64 = 1 << 30;
    /// Requests in one call.
    http_requests_max: u64 = 64;
    /// From looking up the name to the last byte of the answer; the time of the call ends it, too.
    http_ms_max: u64 = 10_000;
    /// Body and headers of one request.
    http_request_bytes_max: usize = 1 << 20;
    /// Body of one answer.
    http_response_bytes_max: usize = 8 << 20;
    /// Names and values of the headers of one answer.
    http_header_bytes_max: usize = 32 << 10;
    /// Bodies of all requests and answers of one call.
    http_bytes_max: usize = 64 << 20;
}

/// Depth that sinks take; the payload adds a level.
const JSON_DEPTH: u64 = 20;
/// What a thread's own stack leaves room for.
const STACK_BYTES: u64 = 1 << 20;

fn check(name: &str, value: u64) -> Result<()> {
    let most = match name {
        "json_depth_max" => JSON_DEPTH,
        "stack_bytes_max" => STACK_BYTES,
        "memory_bytes_max" => 1 << 32,
        _ => u64::MAX,
    };
    if value > most {
        let message = format!("{value} is above {most}, the most there can be");
        return Err(Error::invalid(message).field(format!("/{name}")));
    }
    Ok(())
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("there is no limit `{name}`"))
        .hint(format!("there are {}", Limits::NAMES.join(", ")))
}

fn too_large(name: &str, value: u64) -> Error {
    Error::invalid(format!("{value} is too large")).field(format!("/{name}"))
}

/// Limits that hold for the engine as a whole.
const OF_THE_ENGINE: [&str; 4] =
    ["fuel_max", "stack_bytes_max", "component_bytes_max", "table_elements_max"];

impl Limits {
    /// These with some set otherwise.
    pub fn with(&self, values: &BTreeMap<String, u64>) -> Result<Limits> {
        let mut limits = self.clone();
        for (name, value) in values {
            limits.set(name, *value)?;
        }
        Ok(limits)
    }

    /// These with what one extractor was given, as far as `ceilings` let it: without a ceiling a
    /// limit can only be lowered.
    pub(super) fn overridden(
        &self,
        given: &BTreeMap<String, u64>,
        ceilings: &BTreeMap<String, u64>,
    ) -> Limits {
        let mut limits = self.clone();
        for (name, value) in given {
            let own = self.get(name).unwrap_or_default();
            let most = ceilings.get(name).copied().unwrap_or(own).max(own);
            // What can not be set was refused when it was given.
            let set = limits.set(name, (*value).min(most));
            if let Err(error) = set {
                tracing::warn!("a limit is left as it is: {}", error.chain());
            }
        }
        limits
    }

    /// Whether these can be given to one extractor.
    pub fn check_given(&self, given: &BTreeMap<String, u64>) -> Result<()> {
        if let Some(name) = given.keys().find(|name| OF_THE_ENGINE.contains(&name.as_str())) {
            return Err(Error::invalid(format!("`{name}` is the same for all extractors"))
                .hint("set it under `limits` in the settings"));
        }
        self.with(given).map(drop)
    }
}
