//! The part of a history that most replicas never need, boxed on first use.

use std::sync::Arc;

use super::streak::Streak;
use super::undo::UndoLog;
use super::window::Window;
use crate::policy::retry_schedule::RetrySchedule;
use crate::policy::{Layout, LayoutMapping};
use crate::time::Timestamp;

/// State of a replica under rules and windows, and for incidents.
#[derive(Clone, Debug, Default)]
pub(super) struct Detail {
    /// The layout that the indices below refer to.
    pub(super) layout: Arc<Layout>,
    /// One for each window of the layout.
    pub(super) windows: Vec<Window>,
    /// The streaks under the rules' own `retry`, by schedule from 1.
    pub(super) streaks: Vec<Streak>,
    /// The charges that an incident would undo.
    pub(super) undo: UndoLog,
    /// The name of the last failure's cause, if it is the user's own.
    pub(super) cause: Option<String>,
    /// When the last failure was recorded, so that a second failure does not count as a second replica.
    pub(super) noted_at: Option<Timestamp>,
}

impl Detail {
    pub(super) fn new(layout: Arc<Layout>) -> Self {
        Self { layout, ..Self::default() }
    }

    /// An empty one for the same layout, with the time of the last failure.
    pub(super) fn without_failures(&self) -> Self {
        Self { noted_at: self.noted_at, ..Self::new(self.layout.clone()) }
    }

    /// The streak of a rule's schedule, from 1; the default if it has none.
    pub(super) fn streak_of_rule(&self, schedule: u16) -> Streak {
        self.streaks.get(usize::from(schedule) - 1).copied().unwrap_or_default()
    }

    pub(super) fn streak_of_rule_mut(&mut self, schedule: u16) -> &mut Streak {
        slot_mut(&mut self.streaks, usize::from(schedule) - 1)
    }

    pub(super) fn window_mut(&mut self, slot: u16) -> &mut Window {
        slot_mut(&mut self.windows, usize::from(slot))
    }

    /// Credits the rules' streaks with `ready_for` nanoseconds of readiness.
    #[inline(never)]
    pub(super) fn recover(&mut self, schedules: &[RetrySchedule], ready_for: u64) {
        for (streak, schedule) in self.streaks.iter_mut().zip(schedules) {
            streak.recover(schedule, ready_for);
        }
    }

    /// The number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.windows.iter().map(Window::len).sum::<usize>() + self.streaks.len() + self.undo.len()
    }

    /// The latest of all times in it.
    pub(super) fn latest(&self) -> Timestamp {
        let streaks = self.streaks.iter().map(Streak::latest);
        let windows = self.windows.iter().map(Window::latest);
        let undo = self.undo.iter().map(|undo| undo.at);
        streaks.chain(windows).chain(undo).chain(self.noted_at).max().unwrap_or(Timestamp::ZERO)
    }

    /// Moves every time by the same amount.
    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.streaks.iter_mut().for_each(|streak| streak.shift(by));
        self.windows.iter_mut().for_each(|window| window.shift(by));
        self.undo.shift(by);
        self.noted_at = self.noted_at.map(by);
    }

    /// Moves streaks, windows and undo entries to their indices in another layout, and drops those without one.
    pub(super) fn carry_over(&mut self, mapping: &LayoutMapping) {
        self.layout = mapping.to.clone();
        for (streak, place) in std::mem::take(&mut self.streaks).into_iter().zip(mapping.schedules.iter().skip(1)) {
            let place = place.filter(|place| *place > 0 && streak != Streak::default());
            if let Some(place) = place {
                *self.streak_of_rule_mut(place) = streak;
            }
        }
        for (window, place) in std::mem::take(&mut self.windows).into_iter().zip(&mapping.windows) {
            if let Some(place) = *place {
                *self.window_mut(place) = window;
            }
        }
        self.undo.carry_over(|schedule| match mapping.schedules.get(usize::from(schedule)).copied().flatten() {
            None if schedule == 0 => Some(0),
            place => place,
        });
    }
}

/// The entry at `place`, after extending the list to it.
fn slot_mut<T: Default>(list: &mut Vec<T>, place: usize) -> &mut T {
    if list.len() <= place {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}
