//! Serialises a [`Timestamp`] field as an `Option<Timestamp>`: [`Timestamp::NEVER`] in memory is `None`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

pub(crate) const fn value() -> Timestamp {
    Timestamp::NEVER
}

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    at.known().serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Ok(Option::<Timestamp>::deserialize(deserializer)?.unwrap_or(Timestamp::NEVER))
}
