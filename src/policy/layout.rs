//! The keys under which a replica's state is kept, so that it survives a change of policy.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::retry_schedule::RetrySchedule;
use super::rule_index::RuleIndex;

/// The keys of a policy's streaks, windows and rules, in the order of their indices.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// For each schedule: empty for the policy's own `retry`, else the name of the rule.
    pub(crate) schedules: Vec<String>,
    /// For each window: the name of its schedule, and the stage whose limit it is.
    pub(crate) windows: Vec<(String, Option<u16>)>,
    /// For each rule: its name, or its index.
    pub(crate) rules: Vec<String>,
}

/// For each entry of an old layout, its index in a new one; `None` if it no longer exists.
#[derive(Clone, Debug)]
pub(crate) struct LayoutMapping {
    pub(crate) from: Arc<Layout>,
    pub(crate) to: Arc<Layout>,
    pub(crate) schedules: Vec<Option<u16>>,
    pub(crate) windows: Vec<Option<u16>>,
    pub(crate) rules: Vec<Option<u16>>,
}

impl LayoutMapping {
    pub(crate) fn new(from: &Arc<Layout>, to: &Arc<Layout>) -> Self {
        Self {
            schedules: Layout::indices_in(&from.schedules, &to.schedules),
            windows: Layout::indices_in(&from.windows, &to.windows),
            rules: Layout::indices_in(&from.rules, &to.rules),
            from: from.clone(),
            to: to.clone(),
        }
    }
}

impl Layout {
    pub(super) fn new(schedules: &[RetrySchedule], rules: &RuleIndex, count: u16) -> Self {
        let mut windows = vec![(String::new(), None); usize::from(count)];
        for schedule in schedules {
            let stages = (0..).zip(&schedule.stages).map(|(index, stage)| (Some(index), stage.limits.window));
            for (stage, window) in [(None, schedule.whole.window)].into_iter().chain(stages) {
                if let Some(window) = window {
                    windows[usize::from(window.slot)] = (schedule.key.clone(), stage);
                }
            }
        }
        Self {
            schedules: schedules.iter().map(|schedule| schedule.key.clone()).collect(),
            windows,
            rules: rules.keys().map(str::to_owned).collect(),
        }
    }

    /// Returns the index in `other` of each of our entries.
    pub(crate) fn indices_in<T: PartialEq>(ours: &[T], other: &[T]) -> Vec<Option<u16>> {
        ours.iter().map(|key| other.iter().position(|known| known == key).map(|place| place as u16)).collect()
    }
}
