//! The timeline of a run.

use uphold::sim::Run;
use uphold::{ReplicaSet, Timestamp};

use super::axis::Axis;
use super::canvas::{Canvas, SMALL, TextAnchor};
use super::markup::Markup;
use super::style::{INK, PHASES, ROLLOUTS, STATUSES, TEXT_GREY};
use super::text::{format_share, text_width, truncate};
use super::timeline_data::TimelineData;
use super::{bands, lanes, legend};
use crate::format_duration::{format_duration, format_duration_units};

/// The timeline of a run as SVG: a lane for each replica, coloured by phase; above them the set's status, rollouts and requests;
/// verdicts as markers; and a time axis. A lane says when its slot is an extra one and for which replica, where another revision
/// begins, and when it is drained.
///
/// The run must have kept its trace. The same run gives the same bytes. The size of the picture is bounded by a few
/// megabytes: of several phases within one pixel the worst is shown.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{crash, Simulation};
/// use uphold::{Policy, RetryPolicy};
/// use uphold_lab::picture::Timeline;
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let run = Simulation::new(policy).at("60s", crash(1)).run_until("5m")?;
/// let svg = Timeline::of(&run).title("one of three replicas crashes").svg()?;
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Timeline<'r> {
    run: &'r Run,
    initial: Option<&'r ReplicaSet>,
    title: &'r str,
    note: Option<String>,
    width: u32,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The font size and the line height of the lines below the title, in pixels.
const SUBTITLE_SIZE: f64 = 12.0;
const SUBTITLE_LINE: f64 = 16.0;

/// The reason why a picture cannot be drawn.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The width is out of range.
    #[error("a picture {0} pixels wide cannot be drawn; give a width from 480 to 10000")]
    Width(u32),
    /// The time window is empty.
    #[error("nothing to show from {from} until {until}; 'from' must be before 'until'")]
    Window {
        /// The start of the window.
        from: String,
        /// The end of the window.
        until: String,
    },
    /// The time window ends after the run.
    #[error("{until} is after the end of the run, {end}; choose an earlier end")]
    AfterTheEnd {
        /// The end of the window.
        until: String,
        /// The end of the run.
        end: String,
    },
}

impl<'r> Timeline<'r> {
    /// Returns the timeline of a whole run.
    pub fn of(run: &'r Run) -> Self {
        Self { run, initial: None, title: "", note: None, width: 960, from: None, until: None }
    }

    /// Sets the title. Default: none.
    pub fn title(mut self, title: &'r str) -> Self {
        self.title = title;
        self
    }

    /// Sets a line of text below the title, such as the date of a recording. Default: none.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Sets the width in pixels, from 480 to 10 000. Default 960. The height depends on the content.
    pub fn width(mut self, pixels: u32) -> Self {
        self.width = pixels;
        self
    }

    /// Sets the start of the time window, counted from the start of the run. Default: the start of the run.
    pub fn from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// Sets the end of the time window, counted from the start of the run. Default: the end of the run.
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets the state of the set at the start of the run, for a set that had been running before, as in a recording that
    /// continues an earlier one. Default: every replica waits for its first start.
    pub fn initial_set(mut self, set: &'r ReplicaSet) -> Self {
        self.initial = Some(set);
        self
    }

    /// Returns the time window in nanoseconds.
    fn window(&self) -> Result<(u64, u64), PictureError> {
        // A run of length 0 is shown as if it lasted 1 ms, because a lot can happen at one time.
        let end = self.run.until().as_nanos().max(1_000_000);
        let (from, until) = (self.from.map_or(0, Timestamp::as_nanos), self.until.map_or(end, Timestamp::as_nanos));
        if until > end {
            return Err(PictureError::AfterTheEnd { until: format_duration(until), end: format_duration(end) });
        }
        if from >= until {
            return Err(PictureError::Window { from: format_duration(from), until: format_duration(until) });
        }
        Ok((from, until))
    }

    /// Returns the picture as an SVG document without a prologue, which can be embedded in HTML.
    ///
    /// # Errors
    /// The width is out of range, or the time window is empty or ends after the run.
    pub fn svg(&self) -> Result<String, PictureError> {
        if !(480..=10_000).contains(&self.width) {
            return Err(PictureError::Width(self.width));
        }
        let (from, until) = self.window()?;
        let data = TimelineData::new(self.run, self.initial);
        let layout = lanes::LaneLayout::new(data.replicas.len(), data.slots.is_annotated());
        let width = f64::from(self.width);
        let (left, right) = (70.0, if layout.has_figures() { 126.0 } else { 40.0 });
        let axis = Axis { from, until, left, width: (width - left - right).floor() };

        let mut lines = wrap_facts(&facts(&data, axis), width - 24.0);
        lines.extend(self.note.as_deref().map(|note| truncate(note, SUBTITLE_SIZE, width - 24.0)));
        let mut canvas = Canvas::new(axis, width);
        canvas.y = 46.0 + SUBTITLE_LINE * lines.len() as f64;
        let top = canvas.y;
        bands::draw_status(&mut canvas, &data);
        bands::draw_available(&mut canvas, &data);
        bands::draw_incidents(&mut canvas, &data);
        bands::draw_operator_requests(&mut canvas, &data);
        bands::draw_rollouts(&mut canvas, &data);
        lanes::draw(&mut canvas, &data, layout);
        draw_time_axis(&mut canvas, top);
        legend::draw(&mut canvas);
        let height = (canvas.y + 10.0).ceil();
        Ok(self.document(canvas, height, &lines))
    }

    fn document(&self, canvas: Canvas, height: f64, lines: &[String]) -> String {
        let width = canvas.width;
        let mut svg = Markup::default();
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("viewBox", &format!("0 0 {width} {height}")),
                ("width", &width),
                ("height", &height),
                ("font-family", &"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"),
                ("role", &"img"),
            ],
        );
        svg.text("title", &[], if self.title.is_empty() { "timeline" } else { self.title });
        svg.text("desc", &[], &lines.join(" · "));
        svg.open("defs", &[]);
        let used =
            PHASES.iter().chain(&STATUSES).chain(&ROLLOUTS).filter(|style| canvas.used_styles.contains(style.name));
        used.for_each(|style| style.define_pattern(&mut svg));
        svg.close();
        svg.leaf("rect", &[("width", &width), ("height", &height), ("fill", &"#ffffff")]);
        let title = truncate(self.title, 17.0, width - 24.0);
        svg.text(
            "text",
            &[("x", &12.0), ("y", &26.0), ("font-size", &17.0), ("font-weight", &"700"), ("fill", &INK)],
            &title,
        );
        for (index, line) in lines.iter().enumerate() {
            let y = 45.0 + SUBTITLE_LINE * index as f64;
            svg.text("text", &[("x", &12.0), ("y", &y), ("font-size", &SUBTITLE_SIZE), ("fill", &TEXT_GREY)], line);
        }
        svg.embed(&canvas.svg.finish());
        svg.finish()
    }
}

/// Returns the summary below the title: number of replicas, time window, share of each status, number of restarts.
fn facts(data: &TimelineData, axis: Axis) -> Vec<String> {
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let desired = data.counts.iter().map(|count| count.desired).max().unwrap_or(0) as usize;
    let replicas = match data.replicas.len() {
        slots if slots > desired && !data.slots.roles.is_empty() => {
            format!("{}, {}", plural(desired, "replica"), plural(slots, "slot"))
        }
        replicas => plural(replicas, "replica"),
    };
    let mut facts =
        vec![replicas, format!("{} to {}", format_duration_units(axis.from, 4), format_duration_units(axis.until, 4))];
    let shares = bands::status_columns(data, axis).totals().into_iter();
    facts.extend(shares.map(|(state, lasted)| {
        format!("{} {}", STATUSES[usize::from(state)].label(), format_share(lasted, axis.length()))
    }));
    facts.push(plural(data.restarts.iter().filter(|(at, _)| axis.contains(*at)).count(), "restart"));
    facts
}

/// Joins facts to lines of at most this width.
fn wrap_facts(facts: &[String], width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} · {fact}"), SUBTITLE_SIZE) <= width => {
                *line += &format!(" · {fact}")
            }
            _ => lines.push(fact.clone()),
        }
    }
    lines
}

/// Draws the time axis at the bottom, and vertical grid lines from `top` down to it.
fn draw_time_axis(canvas: &mut Canvas, top: f64) {
    let axis = canvas.axis;
    let (bottom, right) = (canvas.y, axis.left + axis.width);
    canvas.line((axis.left, bottom), (right, bottom), &[("stroke", &INK), ("stroke-width", &1.0)]);
    let ticks = axis.ticks();
    let mut free_from = 0.0;
    for (at, label) in &ticks {
        let x = axis.x(*at);
        canvas.line((x, top), (x, bottom + 5.0), &[("stroke", &"#000000"), ("stroke-opacity", &"0.16")]);
        canvas.text(x, bottom + 18.0, SMALL, INK, TextAnchor::Middle, label);
        free_from = x + text_width(label, SMALL) / 2.0;
    }
    let end = format_duration_units(axis.until, 3);
    if ticks.last().is_none_or(|(at, _)| *at != axis.until) && right - text_width(&end, SMALL) / 2.0 - 20.0 > free_from
    {
        canvas.line((right, bottom), (right, bottom + 5.0), &[("stroke", &INK)]);
        canvas.text(right, bottom + 18.0, SMALL, INK, TextAnchor::Middle, &end);
    }
    canvas.y += 34.0;
}
