//! Deterministic document ids: UUIDv5 over namespace, collection, root object, parent, position.

use crate::model::Name;
use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

/// Root of all Quarry ids; an arbitrary constant that must never change.
const ROOT: Uuid = Uuid::from_u128(0x6b1e_7f0a_51c8_5d0e_9a3c_0f4f_2d87_b6e1);

/// Makes the ids of one collection.
pub struct Identity {
    collection: Uuid,
    name: Vec<u8>,
}

impl Identity {
    pub fn new(namespace: &Name, collection: &Name) -> Identity {
        let namespace = Uuid::new_v5(&ROOT, namespace.as_str().as_bytes());
        let collection = Uuid::new_v5(&namespace, collection.as_str().as_bytes());
        Identity { collection, name: Vec::new() }
    }

    /// Fields are separated by their lengths, so no two different rows share a name.
    pub fn document(&mut self, object: &str, parent: Option<&[u8]>, position: i64) -> Uuid {
        self.name.clear();
        self.name.extend_from_slice(&(object.len() as u32).to_le_bytes());
        self.name.extend_from_slice(object.as_bytes());
        self.name.extend_from_slice(parent.unwrap_or_default());
        self.name.extend_from_slice(&position.to_le_bytes());
        // As `Uuid::new_v5`, whose SHA-1 does not know the processor's instructions for it.
        let hash = Sha1::new().chain_update(self.collection).chain_update(&self.name).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Builder::from_sha1_bytes(bytes).into_uuid()
    }
}

/// Of a document that a user gives, from the id that they call it by or from what is in it. They
/// have a root of their own, so that none is ever the id of an extracted document.
pub fn given_document(namespace: &Name, collection: &Name, name: &[u8]) -> Uuid {
    let extracted = Identity::new(namespace, collection).collection;
    Uuid::new_v5(&Uuid::new_v5(&extracted, b"given"), name)
}
