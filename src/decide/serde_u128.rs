//! Serialises a `u128` as a number if it fits in 64 bits and as a string otherwise: many formats have no larger numbers.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;

pub(crate) fn serialize<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return serializer.serialize_u128(*number);
    }
    match u64::try_from(*number) {
        Ok(number) => serializer.serialize_u64(number),
        Err(_) => serializer.collect_str(number),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    struct Wide;

    impl Visitor<'_> for Wide {
        type Value = u128;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, or a text that is one")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u128, E> {
            Ok(number.into())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u128, E> {
            u128::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
        }

        fn visit_u128<E: de::Error>(self, number: u128) -> Result<u128, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u128, E> {
            text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Wide)
    } else {
        deserializer.deserialize_u128(Wide)
    }
}

#[cfg(test)]
mod tests {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Row(#[serde(with = "super")] u128);

    #[test]
    fn any_number_survives_a_format_that_has_no_large_ones() {
        for number in [0, u64::MAX.into(), u128::from(u64::MAX) + 1, u128::MAX] {
            let value = serde_json::to_value(Row(number)).unwrap();
            assert_eq!(serde_json::from_value::<Row>(value).unwrap(), Row(number));
        }
        assert!(serde_json::from_str::<Row>("-1").is_err());
        assert!(serde_json::from_str::<Row>(r#""many""#).is_err());
    }
}
