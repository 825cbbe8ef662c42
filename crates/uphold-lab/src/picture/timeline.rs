//! The timeline of one run.

use uphold::sim::Run;
use uphold::{ReplicaSet, Timestamp};

use super::axis::{Axis, text_width, truncate};
use super::canvas::{Canvas, GREY, SMALL, TextAnchor};
use super::format::{format_duration, format_duration_units, format_share};
use super::markup::Markup;
use super::style::{INK, PHASES, STATUSES, word};
use super::timeline_data::TimelineData;
use super::{bands, lanes, legend};

/// The timeline of one run as a picture: a lane per replica, coloured by phase, with the set's status above, verdicts
/// marked, and a time axis.
///
/// The run must have kept its trace. The same run gives the same bytes, and however much happens in it, the picture
/// stays within a few megabytes: of several phases within one pixel the gravest is shown.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Simulation, crash};
/// use uphold::{Policy, RetryPolicy};
/// use uphold_lab::picture::Timeline;
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let run = Simulation::new(policy).at("60s", crash(1)).run_until("5m")?;
/// let svg = Timeline::of(&run).title("one of three crashes").svg()?;
/// assert!(svg.starts_with("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Timeline<'r> {
    run: &'r Run,
    before: Option<&'r ReplicaSet>,
    title: &'r str,
    note: Option<String>,
    width: u32,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The size of the lines below the title, and from one to the next, in pixels.
const SUBTITLE: f64 = 12.0;
const SUBTITLE_LINE: f64 = 16.0;

/// Why a picture cannot be drawn.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// It is too narrow or too wide.
    #[error("a picture {0} pixels wide cannot be drawn; give a width from 480 to 10000")]
    Width(u32),
    /// There is no time between begin and end.
    #[error("from {from} until {until} there is nothing to show; begin before it ends")]
    Window {
        /// Where it begins.
        from: String,
        /// Where it ends.
        until: String,
    },
    /// It ends after the run.
    #[error("{until} is after the end of the run, {end}; end there or earlier")]
    AfterTheEnd {
        /// Where it ends.
        until: String,
        /// Where the run ends.
        end: String,
    },
}

impl<'r> Timeline<'r> {
    /// All of a run.
    pub fn of(run: &'r Run) -> Self {
        Self { run, before: None, title: "", note: None, width: 960, from: None, until: None }
    }

    /// What stands above it. Default: nothing.
    pub fn title(mut self, title: &'r str) -> Self {
        self.title = title;
        self
    }

    /// A line below the title, such as when a recording was made. Default: none.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The width in pixels, from 480 to 10000. Default 960. The height follows from what there is to show.
    pub fn width(mut self, pixels: u32) -> Self {
        self.width = pixels;
        self
    }

    /// Shows only what is after this, counted from the start of the run. Default: its start.
    pub fn from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// Shows only what is before this, counted from the start of the run. Default: its end.
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// The set as it was when the run began, for one that did not begin anew, such as the replay of a recording that
    /// goes on from an earlier one. Default: every replica waits for its first start.
    pub fn initial_set(mut self, set: &'r ReplicaSet) -> Self {
        self.before = Some(set);
        self
    }

    /// What is shown, in nanoseconds.
    fn window(&self) -> Result<(u64, u64), PictureError> {
        // A run that lasted no time is shown as if it had lasted a little: there may be much in its one instant.
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

    /// The picture: a standalone SVG document, without a prologue, so that it may stand in an HTML page as well.
    ///
    /// # Errors
    /// The width is out of its range, or what is to be shown is empty or after the end of the run.
    pub fn svg(&self) -> Result<String, PictureError> {
        if !(480..=10_000).contains(&self.width) {
            return Err(PictureError::Width(self.width));
        }
        let (from, until) = self.window()?;
        let data = TimelineData::of(self.run, self.before);
        let layout = lanes::LaneLayout::of(data.replicas.len());
        let width = f64::from(self.width);
        let (left, right) = (70.0, if layout.has_figures() { 126.0 } else { 40.0 });
        let axis = Axis { from, until, left, width: (width - left - right).floor() };

        let mut lines = wrapped(&facts(&data, axis), width - 24.0);
        lines.extend(self.note.as_deref().map(|note| truncate(note, SUBTITLE, width - 24.0)));
        let mut canvas = Canvas::new(axis, width);
        canvas.y = 46.0 + SUBTITLE_LINE * lines.len() as f64;
        let top = canvas.y;
        bands::status(&mut canvas, &data);
        bands::available(&mut canvas, &data);
        bands::incidents(&mut canvas, &data);
        bands::operator_requests(&mut canvas, &data);
        lanes::draw(&mut canvas, &data, layout);
        time(&mut canvas, top);
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
        let shown = PHASES.iter().chain(&STATUSES).filter(|style| canvas.shown.contains(style.word));
        shown.for_each(|style| style.define(&mut svg));
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
            svg.text("text", &[("x", &12.0), ("y", &y), ("font-size", &SUBTITLE), ("fill", &GREY)], line);
        }
        svg.embed(&canvas.svg.finish());
        svg.finish()
    }
}

/// What the picture comes to: how many, how long, and the share of each status.
fn facts(data: &TimelineData, axis: Axis) -> Vec<String> {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut facts = vec![
        plural(data.replicas.len(), "replica"),
        format!("{} to {}", format_duration_units(axis.from, 4), format_duration_units(axis.until, 4)),
    ];
    let shares = bands::status_columns(data, axis).totals().into_iter();
    facts.extend(shares.map(|(state, lasted)| {
        format!("{} {}", word(&STATUSES[usize::from(state)]), format_share(lasted, axis.length()))
    }));
    facts.push(plural(data.restarts.iter().filter(|(at, _)| axis.contains(*at)).count(), "restart"));
    facts
}

/// Facts side by side, on as many lines as they need.
fn wrapped(facts: &[String], width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} · {fact}"), SUBTITLE) <= width => *line += &format!(" · {fact}"),
            _ => lines.push(fact.clone()),
        }
    }
    lines
}

/// The time axis below everything, and its lines through everything.
fn time(canvas: &mut Canvas, top: f64) {
    let axis = canvas.axis;
    let (bottom, right) = (canvas.y, axis.left + axis.width);
    canvas.line((axis.left, bottom), (right, bottom), &[("stroke", &INK), ("stroke-width", &1.0)]);
    let ticks = axis.ticks();
    let mut free = 0.0;
    for (at, label) in &ticks {
        let x = axis.x(*at);
        canvas.line((x, top), (x, bottom + 5.0), &[("stroke", &"#000000"), ("stroke-opacity", &"0.16")]);
        canvas.text(x, bottom + 18.0, SMALL, INK, TextAnchor::Middle, label);
        free = x + text_width(label, SMALL) / 2.0;
    }
    let end = format_duration_units(axis.until, 3);
    if ticks.last().is_none_or(|(at, _)| *at != axis.until) && right - text_width(&end, SMALL) / 2.0 - 20.0 > free {
        canvas.line((right, bottom), (right, bottom + 5.0), &[("stroke", &INK)]);
        canvas.text(right, bottom + 18.0, SMALL, INK, TextAnchor::Middle, &end);
    }
    canvas.y += 34.0;
}
