//! What the state of a replica is kept under, so that it survives a change of policy.

use serde::{Deserialize, Serialize};

use super::compile::Compiled;
use super::document::Policy;

/// The names of a policy's streaks, windows and rules, in their places.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// By ladder: "" for the policy's own `retry`, else the name of the rule.
    pub(crate) ladders: Vec<String>,
    /// By window: the ladder's name, and the stage whose limit it is.
    pub(crate) windows: Vec<(String, Option<u16>)>,
    /// By rule.
    pub(crate) rules: Vec<String>,
}

impl Policy {
    pub(crate) fn layout(&self) -> Layout {
        let compiled: &Compiled = self.compiled();
        let mut windows = vec![(String::new(), None); usize::from(compiled.windows)];
        for ladder in &compiled.ladders {
            let stages = (0..).zip(&ladder.stages).map(|(index, stage)| (Some(index), stage.limits.window));
            for (stage, window) in [(None, ladder.whole.window)].into_iter().chain(stages) {
                if let Some(window) = window {
                    windows[usize::from(window.slot)] = (ladder.key.clone(), stage);
                }
            }
        }
        Layout {
            ladders: compiled.ladders.iter().map(|ladder| ladder.key.clone()).collect(),
            windows,
            rules: compiled.rules.keys().map(str::to_owned).collect(),
        }
    }
}

impl Layout {
    /// Where in `other` each entry of ours stands now.
    pub(crate) fn places<T: PartialEq>(ours: &[T], other: &[T]) -> Vec<Option<u16>> {
        ours.iter().map(|key| other.iter().position(|known| known == key).map(|place| place as u16)).collect()
    }
}
