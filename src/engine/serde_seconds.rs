//! Serialises durations and times as numbers of seconds in formats for people, and in full in binary formats.
//!
//! Nanoseconds since 1970 are past 2^53, where jq and JavaScript round whole numbers.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::time::Timestamp;

struct Seconds(Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else if self.0.subsec_nanos() == 0 {
            serializer.serialize_u64(self.0.as_secs())
        } else {
            serializer.serialize_f64(self.0.as_secs_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let seconds = f64::deserialize(deserializer)?;
            Duration::try_from_secs_f64(seconds).map(Self).map_err(D::Error::custom)
        } else {
            Duration::deserialize(deserializer).map(Self)
        }
    }
}

/// For a field that is an `Option<Duration>`.
pub(super) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        duration.map(Seconds).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Seconds>::deserialize(deserializer)?.map(|seconds| seconds.0))
    }
}

fn seconds_of(at: Timestamp) -> Seconds {
    Seconds(Duration::from_nanos(at.as_nanos()))
}

fn time_of(seconds: Seconds) -> Timestamp {
    Timestamp::from_nanos(u64::try_from(seconds.0.as_nanos()).unwrap_or(u64::MAX))
}

/// For a field that is a `Timestamp`: seconds since its epoch.
pub(in crate::engine) mod time {
    use super::*;

    pub(in crate::engine) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        seconds_of(*at).serialize(serializer)
    }

    pub(in crate::engine) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Seconds::deserialize(deserializer).map(time_of)
    }
}

/// For a field that is an `Option<Timestamp>`: seconds since its epoch.
pub(in crate::engine) mod time_option {
    use super::*;

    pub(in crate::engine) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(seconds_of).serialize(serializer)
    }

    pub(in crate::engine) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Seconds>::deserialize(deserializer)?.map(time_of))
    }
}

/// For a field that is a map with durations as its values.
pub(super) mod map {
    use std::collections::BTreeMap;

    use super::*;

    pub(crate) fn serialize<S: Serializer, K: Serialize>(
        durations: &BTreeMap<K, Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(durations.iter().map(|(key, duration)| (key, Seconds(*duration))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, K: Deserialize<'de> + Ord>(
        deserializer: D,
    ) -> Result<BTreeMap<K, Duration>, D::Error> {
        let seconds = BTreeMap::<K, Seconds>::deserialize(deserializer)?;
        Ok(seconds.into_iter().map(|(key, seconds)| (key, seconds.0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Row(#[serde(with = "super::option")] Option<Duration>);

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Times(#[serde(with = "super::time")] Timestamp, #[serde(with = "super::time_option")] Option<Timestamp>);

    #[test]
    fn times_are_seconds_in_json_and_exact_in_postcard() {
        let row = Times(Timestamp::from_millis(1_764_600_000_250), Some(Timestamp::from_secs(60)));
        assert_eq!(serde_json::to_string(&row).unwrap(), "[1764600000.25,60]");
        assert_eq!(serde_json::from_str::<Times>("[0,null]").unwrap(), Times(Timestamp::ZERO, None));
        let exact = Times(Timestamp::from_nanos(1_764_600_000_123_456_789), None);
        assert_eq!(postcard::from_bytes::<Times>(&postcard::to_stdvec(&exact).unwrap()).unwrap(), exact);
    }

    #[test]
    fn durations_are_seconds_in_json_and_exact_in_postcard() {
        for (millis, json) in [(90_000, "90"), (1500, "1.5"), (0, "0")] {
            let row = Row(Some(Duration::from_millis(millis)));
            assert_eq!(serde_json::to_string(&row).unwrap(), json);
            assert_eq!(serde_json::from_str::<Row>(json).unwrap(), row);
            assert_eq!(postcard::from_bytes::<Row>(&postcard::to_stdvec(&row).unwrap()).unwrap(), row);
        }
        assert!(serde_json::from_str::<Row>("-1").is_err());
        assert_eq!(serde_json::from_str::<Row>("null").unwrap(), Row(None));
    }
}
