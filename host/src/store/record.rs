//! How values are laid out: format byte, CRC-32 of the rest, JSON. JSON, because fields may be
//! added and control state is small; the checksum, because sled does not notice every torn page.

use crate::error::{Code, Error, Result};
use serde::{Serialize, de::DeserializeOwned};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 5;
/// Larger values would become blob files, which sled never fsyncs.
pub(super) const VALUE_BYTES_MAX: usize = 64 << 10;

pub(super) trait Record: Serialize + DeserializeOwned {}
impl<T: Serialize + DeserializeOwned> Record for T {}

pub(super) fn encode<T: Serialize>(key: &str, value: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![FORMAT, 0, 0, 0, 0];
    serde_json::to_writer(&mut bytes, value)
        .map_err(|error| Error::internal(format!("can not encode {key}")).source(error))?;
    let checksum = crc32fast::hash(&bytes[HEADER_BYTES..]);
    bytes[1..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    if bytes.len() > VALUE_BYTES_MAX {
        let message =
            format!("the record {key} has {} bytes, {VALUE_BYTES_MAX} are allowed", bytes.len());
        return Err(Error::internal(message));
    }
    Ok(bytes)
}

pub(super) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    let corrupt = |what: &str| Error::new(Code::Corrupt, format!("the record {key} {what}"));
    if bytes.len() < HEADER_BYTES {
        return Err(corrupt("is cut off"));
    }
    if bytes[0] != FORMAT {
        return Err(corrupt(&format!("has the unknown format {}", bytes[0])));
    }
    let stored = u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    if stored != crc32fast::hash(&bytes[HEADER_BYTES..]) {
        return Err(corrupt("does not match its checksum"));
    }
    serde_json::from_slice(&bytes[HEADER_BYTES..])
        .map_err(|error| corrupt("can not be read").source(error))
}
