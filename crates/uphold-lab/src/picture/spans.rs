//! Aggregates the state changes of a lane into columns of pixels, so that its size does not depend on their number.
//!
//! A column shows the worst of the states within it. Where many adjacent columns contain several states, they also show
//! the one that lasted longest. Times are in nanoseconds since the start of the run; states are indices of styles.

use std::collections::BTreeMap;

/// States over time: pairs of the time of a change and the index of the new state's style, in order of time.
pub(super) type StateChanges = Vec<(u64, u8)>;

/// The columns of one lane.
pub(super) struct LaneColumns {
    from: u64,
    until: u64,
    columns: Vec<Column>,
    /// The number of replicas that were added.
    replicas: u32,
}

/// What happened within one column.
#[derive(Clone, Default)]
struct Column {
    /// Nanoseconds in each state.
    durations: [u64; STATES],
    /// The periods in each state.
    periods: [Periods; STATES],
    /// The number of periods that overlap the column.
    period_count: u32,
    /// The state of the last of them.
    last: u8,
    /// Whether the column contains more than one state.
    mixed: bool,
}

/// The periods in one state that overlap a column.
#[derive(Clone, Copy, Default)]
struct Periods {
    /// The start of the first, which may be before the column.
    start: u64,
    /// The end of the last, which may be after the column. 0: there is none.
    end: u64,
    /// How many start within the column.
    starts: u32,
}

/// At least the number of phases and of statuses.
const STATES: usize = 10;

/// Adjacent columns that look the same.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Span {
    /// The index of the first column.
    pub(super) column: usize,
    /// The number of columns.
    pub(super) columns: usize,
    /// The worst state within each column.
    pub(super) worst: u8,
    /// The state that lasted longest. It differs from `worst` only where many adjacent columns are mixed.
    pub(super) longest: u8,
    /// When the worst state starts.
    pub(super) start: u64,
    /// When the worst state ends.
    pub(super) end: u64,
    /// How often the worst state starts within these columns; 0: it started before them.
    pub(super) times: u32,
    /// Whether a column contains more than one change per replica, so that some are not shown.
    pub(super) has_hidden_changes: bool,
}

impl LaneColumns {
    /// Creates empty columns for a time window. `until` must be later than `from`.
    pub(super) fn new(from: u64, until: u64, columns: usize) -> Self {
        // No column is shorter than a nanosecond.
        let max = usize::try_from(until - from).unwrap_or(usize::MAX).max(1);
        Self { from, until, columns: vec![Column::default(); columns.clamp(1, max)], replicas: 0 }
    }

    /// Adds the state changes of one replica, in order of time. States that last no time are ignored.
    pub(super) fn add(&mut self, changes: &[(u64, u8)], severity: impl Fn(u8) -> u8) {
        self.replicas += 1;
        let mut current: Option<(u64, u8)> = None;
        // Of several changes at one time, the last one holds.
        let effective = changes
            .iter()
            .enumerate()
            .filter(|(index, (at, _))| changes.get(index + 1).is_none_or(|(next, _)| next > at));
        for &(at, state) in effective.map(|(_, change)| change) {
            match current {
                Some((_, previous)) if previous == state => {}
                Some((start, previous)) => {
                    self.add_if_visible(start, at, previous, &severity);
                    current = Some((at, state));
                }
                None => current = Some((at, state)),
            }
        }
        if let Some((start, state)) = current {
            self.add_if_visible(start, self.until, state, &severity);
        }
    }

    fn add_if_visible(&mut self, start: u64, end: u64, state: u8, severity: impl Fn(u8) -> u8) {
        if severity(state) > 0 && start < end && start < self.until && end > self.from {
            self.add_period(start, end, state);
        }
    }

    fn add_period(&mut self, start: u64, end: u64, state: u8) {
        // The end is exclusive, so the last column is that of the nanosecond before it.
        let (first, last) = (self.column_at(start.max(self.from)), self.column_at(end.min(self.until) - 1));
        for index in first..=last {
            let (column_start, column_end) = (self.start_of(index), self.start_of(index + 1));
            let column = &mut self.columns[index];
            column.mixed |= column.period_count > 0 && column.last != state;
            column.period_count += 1;
            column.last = state;
            let state = usize::from(state);
            let within = end.min(column_end).saturating_sub(start.max(column_start));
            column.durations[state] = column.durations[state].saturating_add(within);
            let periods = &mut column.periods[state];
            let is_first = periods.end == 0;
            periods.start = if is_first { start } else { periods.start.min(start) };
            periods.end = periods.end.max(end);
            periods.starts += u32::from(index == first && start >= self.from);
        }
    }

    /// Returns the index of the column that contains a time.
    fn column_at(&self, at: u64) -> usize {
        let length = u128::from((self.until - self.from).max(1));
        let index = u128::from(at - self.from) * self.columns.len() as u128 / length;
        (index as usize).min(self.columns.len() - 1)
    }

    /// Returns the start time of a column.
    fn start_of(&self, index: usize) -> u64 {
        let offset = u128::from(self.until - self.from) * index as u128;
        self.from + offset.div_ceil(self.columns.len() as u128) as u64
    }

    /// Returns the number of columns.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    /// Returns how long each state lasted within the window, by state.
    pub(super) fn totals(&self) -> BTreeMap<u8, u64> {
        let mut totals = BTreeMap::new();
        for column in &self.columns {
            for (state, duration) in column.durations.iter().enumerate().filter(|(_, duration)| **duration > 0) {
                *totals.entry(state as u8).or_insert(0) += duration;
            }
        }
        totals
    }

    /// Returns the spans of the lane. Empty columns are left out.
    pub(super) fn spans(&self, severity: impl Fn(u8) -> u8) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (index, (worst, longest)) in self.shown_states(severity).into_iter().enumerate() {
            if worst == 0 {
                continue;
            }
            let column = &self.columns[index];
            let periods = column.periods[usize::from(worst)];
            let has_hidden_changes = column.period_count > self.replicas + 1;
            match spans.last_mut() {
                Some(last) if last.column + last.columns == index && (last.worst, last.longest) == (worst, longest) => {
                    last.columns += 1;
                    last.end = last.end.max(periods.end);
                    last.times += periods.starts;
                    last.has_hidden_changes |= has_hidden_changes;
                }
                _ => spans.push(Span {
                    column: index,
                    columns: 1,
                    worst,
                    longest,
                    start: periods.start,
                    end: periods.end,
                    times: periods.starts,
                    has_hidden_changes,
                }),
            }
        }
        spans
    }

    /// Returns the worst and the longest state of each column. In a short sequence of mixed columns only the worst is
    /// shown, so that a single blip is visible; in a long one both are, so that a year of blips does not look like one
    /// long outage.
    fn shown_states(&self, severity: impl Fn(u8) -> u8) -> Vec<(u8, u8)> {
        const MIN_SPLIT_COLUMNS: usize = 4;
        let mut shown: Vec<(u8, u8)> = self.columns.iter().map(|column| column.worst_and_longest(&severity)).collect();
        let mut first = 0;
        while first < shown.len() {
            let mixed = shown[first].0 != shown[first].1;
            let length = shown[first..].iter().take_while(|(worst, longest)| (worst != longest) == mixed).count();
            if mixed && length < MIN_SPLIT_COLUMNS {
                shown[first..first + length].iter_mut().for_each(|(worst, longest)| *longest = *worst);
            }
            first += length;
        }
        shown
    }
}

impl Column {
    fn worst_and_longest(&self, severity: impl Fn(u8) -> u8) -> (u8, u8) {
        if !self.mixed {
            return (self.last, self.last);
        }
        let present = || (0..STATES as u8).filter(|state| self.durations[usize::from(*state)] > 0);
        let worst = present().max_by_key(|state| severity(*state)).unwrap_or(0);
        let longest = present().max_by_key(|state| self.durations[usize::from(*state)]).unwrap_or(0);
        (worst, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(changes: &[(u64, u8)], until: u64, columns: usize) -> Vec<(usize, usize, u8, u8, u32)> {
        let mut lane = LaneColumns::new(0, until, columns);
        lane.add(changes, |state| state);
        let spans = lane.spans(|state| state);
        spans.iter().map(|span| (span.column, span.columns, span.worst, span.longest, span.times)).collect()
    }

    #[test]
    fn a_blip_shorter_than_a_pixel_is_shown() {
        assert_eq!(
            spans(&[(0, 1), (5_000, 6), (5_001, 1)], 10_000, 10),
            [(0, 5, 1, 1, 1), (5, 1, 6, 6, 1), (6, 4, 1, 1, 0)]
        );
    }

    #[test]
    fn a_year_of_blips_does_not_look_like_one_long_outage() {
        let changes: Vec<(u64, u8)> = (0..1000).flat_map(|day| [(day * 100, 1), (day * 100 + 99, 6)]).collect();
        assert_eq!(spans(&changes, 100_000, 10), [(0, 10, 6, 1, 1000)]);
    }

    #[test]
    fn states_that_last_no_time_are_not_shown() {
        assert_eq!(spans(&[(0, 6), (0, 1), (50, 8), (50, 1), (70, 1)], 100, 10), [(0, 10, 1, 1, 1)]);
    }

    #[test]
    fn a_state_that_started_before_the_window_is_shown_from_its_start() {
        let mut lane = LaneColumns::new(1_000, 2_000, 10);
        lane.add(&[(0, 1), (1_500, 6), (5_000, 1)], |state| state);
        let spans = lane.spans(|state| state);
        assert_eq!((spans[0].column, spans[0].columns, spans[0].start, spans[0].end), (0, 5, 0, 1_500));
        assert_eq!((spans[1].column, spans[1].columns, spans[1].start, spans[1].end), (5, 5, 1_500, 5_000));
        assert_eq!(lane.totals().into_iter().collect::<Vec<_>>(), [(1, 500), (6, 500)]);
    }

    #[test]
    fn the_shortest_and_the_longest_windows_have_columns() {
        assert_eq!(spans(&[(0, 1), (2, 6)], 3, 300), [(0, 2, 1, 1, 1), (2, 1, 6, 6, 1)]);
        assert_eq!(spans(&[(0, 1)], u64::MAX, 3), [(0, 3, 1, 1, 1)]);
    }
}
