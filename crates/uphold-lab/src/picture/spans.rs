//! What a lane shows: states over time, in columns of pixels.
//!
//! However many changes there were, a lane has so many columns. Of several states within one column the gravest is
//! shown.

use std::collections::BTreeMap;

/// One lane, column by column.
pub(super) struct LaneColumns {
    from: u64,
    until: u64,
    columns: Vec<Column>,
    /// So many replicas are in it.
    replicas: u32,
}

/// What happened within one column.
#[derive(Clone, Default)]
struct Column {
    /// Nanoseconds in each state, by its index.
    lasted: [u64; STATES],
    /// For each state: the begin of the first span, the end of the last, and how many begin here.
    extents: [StateExtent; STATES],
    /// So many spans lie in it, wholly or in part.
    span_count: u32,
    /// The state of the last of them.
    last: u8,
    /// There are others.
    mixed: bool,
}

#[derive(Clone, Copy, Default)]
struct StateExtent {
    start: u64,
    end: u64,
    starts: u32,
}

/// More than there are phases.
const STATES: usize = 10;

/// A run of columns that style the same.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Span {
    /// The first column.
    pub(super) column: usize,
    /// So many columns.
    pub(super) columns: usize,
    /// The gravest state within each column.
    pub(super) worst: u8,
    /// The state that lasted longest; another than `worst` only where many columns in a row hold several.
    pub(super) most: u8,
    /// When the gravest state begins, in nanoseconds.
    pub(super) start: u64,
    /// When it ends.
    pub(super) end: u64,
    /// How often it begins within these columns; 0: it began before them.
    pub(super) times: u32,
    /// A column holds more than the end of one state and the begin of the next: some of it is not shown.
    pub(super) crowded: bool,
}

impl LaneColumns {
    /// `until` is later than `from`.
    pub(super) fn new(from: u64, until: u64, columns: usize) -> Self {
        // No column is shorter than a nanosecond.
        let most = usize::try_from(until - from).unwrap_or(usize::MAX).max(1);
        Self { from, until, columns: vec![Column::default(); columns.clamp(1, most)], replicas: 0 }
    }

    /// Adds the states of one replica: each change with its time, rising. What lasts no time is not shown.
    pub(super) fn add(&mut self, changes: &[(u64, u8)], severity: impl Fn(u8) -> u8) {
        self.replicas += 1;
        // The last of one instant is the state from then on; what changes to itself goes on.
        let mut present: Option<(u64, u8)> = None;
        let lasting = changes
            .iter()
            .enumerate()
            .filter(|(index, (at, _))| changes.get(index + 1).is_none_or(|(next, _)| next > at));
        for &(at, state) in lasting.map(|(_, change)| change) {
            match present {
                Some((_, before)) if before == state => {}
                Some((start, before)) => {
                    self.add_visible(start, at, before, &severity);
                    present = Some((at, state));
                }
                None => present = Some((at, state)),
            }
        }
        if let Some((start, state)) = present {
            self.add_visible(start, self.until, state, &severity);
        }
    }

    fn add_visible(&mut self, start: u64, end: u64, state: u8, severity: impl Fn(u8) -> u8) {
        if severity(state) > 0 && start < end && start < self.until && end > self.from {
            self.add_span(start, end, state);
        }
    }

    fn add_span(&mut self, start: u64, end: u64, state: u8) {
        let (first, last) = (self.column(start.max(self.from)), self.column(end.min(self.until) - 1));
        // Ends are excluded, so that the last column is that of the nanosecond before.
        for column in first..=last {
            let (begins, ends) = (self.begins(column), self.begins(column + 1));
            let cell = &mut self.columns[column];
            cell.mixed |= cell.span_count > 0 && cell.last != state;
            cell.span_count += 1;
            cell.last = state;
            let state = usize::from(state);
            let within = end.min(ends).saturating_sub(start.max(begins));
            cell.lasted[state] = cell.lasted[state].saturating_add(within);
            let extents = &mut cell.extents[state];
            let fresh = extents.end == 0;
            extents.start = if fresh { start } else { extents.start.min(start) };
            extents.end = extents.end.max(end);
            extents.starts += u32::from(column == first && start >= self.from);
        }
    }

    fn column(&self, at: u64) -> usize {
        let part =
            u128::from(at - self.from) * self.columns.len() as u128 / u128::from((self.until - self.from).max(1));
        (part as usize).min(self.columns.len() - 1)
    }

    /// When a column begins.
    fn begins(&self, column: usize) -> u64 {
        let part = u128::from(self.until - self.from) * column as u128;
        self.from + part.div_ceil(self.columns.len() as u128) as u64
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    /// How long each state lasted, by its index.
    pub(super) fn totals(&self) -> BTreeMap<u8, u64> {
        let mut totals = BTreeMap::new();
        for cell in &self.columns {
            for (state, lasted) in cell.lasted.iter().enumerate().filter(|(_, lasted)| **lasted > 0) {
                *totals.entry(state as u8).or_insert(0) += lasted;
            }
        }
        totals
    }

    /// Runs of columns that style the same; columns in which nothing is are left out.
    pub(super) fn spans(&self, severity: impl Fn(u8) -> u8) -> Vec<Span> {
        let styles = self.styles(severity);
        let mut spans: Vec<Span> = Vec::new();
        for (column, &(worst, most)) in styles.iter().enumerate() {
            if worst == 0 {
                continue;
            }
            let cell = &self.columns[column];
            let (extents, crowded) = (cell.extents[usize::from(worst)], cell.span_count > self.replicas + 1);
            match spans.last_mut() {
                Some(last) if last.column + last.columns == column && (last.worst, last.most) == (worst, most) => {
                    last.columns += 1;
                    last.end = last.end.max(extents.end);
                    last.times += extents.starts;
                    last.crowded |= crowded;
                }
                _ => spans.push(Span {
                    column,
                    columns: 1,
                    worst,
                    most,
                    start: extents.start,
                    end: extents.end,
                    times: extents.starts,
                    crowded,
                }),
            }
        }
        spans
    }

    /// The gravest and the longest state of each column. Where only a few columns in a row hold several, the longest
    /// is the gravest: a single blip is to be extents, while a year of blips is not to style like one long outage.
    fn styles(&self, severity: impl Fn(u8) -> u8) -> Vec<(u8, u8)> {
        const MIN_SPLIT_COLUMNS: usize = 4;
        let mut styles: Vec<(u8, u8)> = self.columns.iter().map(|cell| cell.style(&severity)).collect();
        let mut first = 0;
        while first < styles.len() {
            let mixed = styles[first].0 != styles[first].1;
            let run = styles[first..].iter().take_while(|(worst, most)| (worst != most) == mixed).count();
            if mixed && run < MIN_SPLIT_COLUMNS {
                styles[first..first + run].iter_mut().for_each(|(worst, most)| *most = *worst);
            }
            first += run;
        }
        styles
    }
}

impl Column {
    fn style(&self, severity: impl Fn(u8) -> u8) -> (u8, u8) {
        if !self.mixed {
            return (self.last, self.last);
        }
        let there = || (0..STATES as u8).filter(|state| self.lasted[usize::from(*state)] > 0);
        let worst = there().max_by_key(|state| severity(*state)).unwrap_or(0);
        let most = there().max_by_key(|state| self.lasted[usize::from(*state)]).unwrap_or(0);
        (worst, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(changes: &[(u64, u8)], until: u64, columns: usize) -> Vec<(usize, usize, u8, u8, u32)> {
        let mut lane = LaneColumns::new(0, until, columns);
        lane.add(changes, |state| state);
        let spans = lane.spans(|state| state);
        spans.iter().map(|span| (span.column, span.columns, span.worst, span.most, span.times)).collect()
    }

    #[test]
    fn a_blip_shorter_than_a_pixel_is_seen() {
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
    fn what_lasts_no_time_is_not_shown() {
        assert_eq!(spans(&[(0, 6), (0, 1), (50, 8), (50, 1), (70, 1)], 100, 10), [(0, 10, 1, 1, 1)]);
    }

    #[test]
    fn what_began_before_the_window_fills_it_from_its_edge() {
        let mut lane = LaneColumns::new(1_000, 2_000, 10);
        lane.add(&[(0, 1), (1_500, 6), (5_000, 1)], |state| state);
        let spans = lane.spans(|state| state);
        assert_eq!((spans[0].column, spans[0].columns, spans[0].start, spans[0].end), (0, 5, 0, 1_500));
        assert_eq!((spans[1].column, spans[1].columns, spans[1].start, spans[1].end), (5, 5, 1_500, 5_000));
        assert_eq!(lane.totals().into_iter().collect::<Vec<_>>(), [(1, 500), (6, 500)]);
    }

    #[test]
    fn columns_of_less_than_a_nanosecond_and_of_centuries_hold_together() {
        assert_eq!(spans(&[(0, 1), (2, 6)], 3, 300), [(0, 2, 1, 1, 1), (2, 1, 6, 6, 1)]);
        assert_eq!(spans(&[(0, 1)], u64::MAX, 3), [(0, 3, 1, 1, 1)]);
    }
}
