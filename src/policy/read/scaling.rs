//! Reading `replicas` and the `scaling` block.

use super::keys;
use crate::document::{Reader, Value};
use crate::policy::range;
use crate::policy::scaling::{ScalingPolicy, StandIns};
use crate::policy::text;

/// The value of `replicas`.
pub(super) struct Replicas {
    pub(super) start: u32,
    /// The bounds of scaling, if it is a range.
    pub(super) bounds: Option<(u32, u32)>,
}

/// Reads `replicas`: a number, or a range whose lower end is the initial number.
pub(super) fn replicas(reader: &mut Reader, value: &Value) -> Option<Replicas> {
    let Value::Str(given) = value else {
        return reader.count(value, &range::REPLICAS).map(|start| Replicas { start, bounds: None });
    };
    if let Some(number) = text::replicas(given.trim_matches(' ')) {
        reader.problem(format!("is a text; write the number {number} without quotes"));
        return None;
    }
    let of = |ends: Option<(&str, &str)>| {
        let (first, last) = ends?;
        Some((text::replicas(first.trim_matches(' '))?, text::replicas(last.trim_matches(' '))?))
    };
    if let Some((first, last)) = of(given.split_once("..=").or_else(|| given.split_once(".."))) {
        if first > last {
            reader.problem(format!("the range is empty; did you mean \"{last}..{first}\"?"));
            return None;
        }
        return Some(Replicas { start: first, bounds: Some((first, last)) });
    }
    if let Some((first, last)) = of(given.split_once('-')) {
        reader.problem(format!("a range is written \"{first}..{last}\""));
        return None;
    }
    reader.expected(
        &format!("a number of replicas such as 3, or a range such as 2..10, of at most {}", range::REPLICAS.end()),
        value,
    )
}

/// Returns whether a `scaling` block has bounds of its own, even unreadable ones.
pub(super) fn has_bounds(scaling: &Value) -> bool {
    matches!(scaling, Value::Map(entries) if entries.iter().any(|(key, _)| key == "min" || key == "max"))
}

pub(super) fn scaling(reader: &mut Reader, value: &Value) -> Option<ScalingPolicy> {
    let fields = reader.fields(value, &&keys::SCALING)?;
    let count = |reader: &mut Reader, value: &Value| reader.count(value, &range::REPLICAS);
    Some(ScalingPolicy {
        min: fields.read(reader, "min", count),
        max: fields.read(reader, "max", count),
        standby: fields.read(reader, "standby", count),
        stand_ins: fields.read(reader, "stand_ins", stand_ins),
    })
}

fn stand_ins(reader: &mut Reader, value: &Value) -> Option<StandIns> {
    let fields = reader.fields(value, &&keys::STAND_INS)?;
    let max = fields
        .require(reader, "max", "how many at a time, such as 2", |reader, value| reader.count(value, &range::REPLICAS));
    // An unreadable number becomes 0, which contradicts no other key.
    Some(StandIns { max: max.unwrap_or(0), after: fields.read(reader, "after", Reader::duration) })
}
