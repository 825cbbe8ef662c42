//! What the state of a replica is kept under, so that it survives a change of policy.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::Policy;
use super::ladder::Ladder;
use super::rule_index::RuleIndex;

/// The names of a policy's streaks, windows and rules, in their places.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// By ladder: "" for the policy's own `retry`, else the name of the rule.
    pub(crate) ladders: Vec<String>,
    /// By window: the ladder's name, and the stage whose limit it is.
    pub(crate) windows: Vec<(String, Option<u16>)>,
    /// By rule.
    pub(crate) rules: Vec<String>,
}

/// Where everything of one layout stands in another; `None` where it has no place.
#[derive(Clone, Debug)]
pub(crate) struct Moves {
    pub(crate) from: Arc<Layout>,
    pub(crate) to: Arc<Layout>,
    pub(crate) ladders: Vec<Option<u16>>,
    pub(crate) windows: Vec<Option<u16>>,
    pub(crate) rules: Vec<Option<u16>>,
}

impl Moves {
    pub(crate) fn new(from: &Arc<Layout>, to: &Arc<Layout>) -> Self {
        Self {
            ladders: Layout::places(&from.ladders, &to.ladders),
            windows: Layout::places(&from.windows, &to.windows),
            rules: Layout::places(&from.rules, &to.rules),
            from: from.clone(),
            to: to.clone(),
        }
    }
}

impl Policy {
    pub(crate) fn layout(&self) -> &Layout {
        &self.compiled().layout
    }
}

impl Layout {
    pub(super) fn new(ladders: &[Ladder], rules: &RuleIndex, count: u16) -> Self {
        let mut windows = vec![(String::new(), None); usize::from(count)];
        for ladder in ladders {
            let stages = (0..).zip(&ladder.stages).map(|(index, stage)| (Some(index), stage.limits.window));
            for (stage, window) in [(None, ladder.whole.window)].into_iter().chain(stages) {
                if let Some(window) = window {
                    windows[usize::from(window.slot)] = (ladder.key.clone(), stage);
                }
            }
        }
        Self {
            ladders: ladders.iter().map(|ladder| ladder.key.clone()).collect(),
            windows,
            rules: rules.keys().map(str::to_owned).collect(),
        }
    }

    /// Where in `other` each entry of ours stands now.
    pub(crate) fn places<T: PartialEq>(ours: &[T], other: &[T]) -> Vec<Option<u16>> {
        ours.iter().map(|key| other.iter().position(|known| known == key).map(|place| place as u16)).collect()
    }
}
