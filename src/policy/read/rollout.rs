//! Reading the `rollout` block.

use super::keys;
use crate::document::{Reader, Value};
use crate::policy::range;
use crate::policy::rollout::{OnRolloutFailure, Promote, RolloutPolicy};

pub(super) fn rollout(reader: &mut Reader, value: &Value) -> Option<RolloutPolicy> {
    let fields = reader.fields(value, &&keys::ROLLOUT)?;
    Some(RolloutPolicy {
        max_surge: fields.read(reader, "max_surge", Reader::quantity),
        max_unavailable: fields.read(reader, "max_unavailable", Reader::quantity),
        canaries: fields.read(reader, "canaries", |reader, value| reader.count(value, &range::REPLICAS)),
        bake: fields.read(reader, "bake", Reader::duration),
        promote: fields.read(reader, "promote", |reader, value| {
            reader.word(value, &Promote::ALL.map(|promote| (promote.as_str(), promote)), &[])
        }),
        progress_deadline: fields.read(reader, "progress_deadline", Reader::duration),
        max_failures: fields
            .read(reader, "max_failures", |reader, value| reader.count(value, &range::ROLLOUT_FAILURES)),
        on_failure: fields.read(reader, "on_failure", |reader, value| {
            reader.word(value, &OnRolloutFailure::ALL.map(|then| (then.as_str(), then)), &[])
        }),
    })
}
