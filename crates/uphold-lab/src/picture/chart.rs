//! Charts of estimates with confidence intervals.

use super::markup::{Attribute, Markup};
use super::style::{INK, LINE_GREY};
use super::text::{text_width, truncate};

/// A forest plot: a row for each estimate, with a dot for its value and a bar for its confidence interval, on a common
/// scale.
///
/// ```
/// use uphold_lab::picture::Chart;
///
/// let svg = Chart::new("restarts per run", |value| format!("{value}"))
///     .row("every 10 s", 90.2, Some((88.9, 91.5)))
///     .row("every minute", 89.7, None)
///     .svg();
/// assert!(svg.starts_with("<svg"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Chart<'c> {
    title: &'c str,
    rows: Vec<ChartRow<'c>>,
    format: fn(f64) -> String,
    includes_zero: bool,
}

#[derive(Clone, Debug)]
struct ChartRow<'c> {
    name: &'c str,
    value: f64,
    interval: Option<(f64, f64)>,
}

const WIDTH: f64 = 460.0;
const ROW_HEIGHT: f64 = 26.0;
const TOP: f64 = 34.0;

impl<'c> Chart<'c> {
    /// Returns an empty chart. `format` formats values, for ticks and tooltips.
    pub fn new(title: &'c str, format: fn(f64) -> String) -> Self {
        Self { title, rows: Vec::new(), format, includes_zero: false }
    }

    /// Adds a row: an estimate, and the bounds of its confidence interval. Numbers that are not finite are not drawn.
    pub fn row(mut self, name: &'c str, value: f64, interval: Option<(f64, f64)>) -> Self {
        self.rows.push(ChartRow { name, value, interval });
        self
    }

    /// Extends the scale to 0, and marks 0 with a line. Default: the scale covers only the data.
    pub fn include_zero(mut self) -> Self {
        self.includes_zero = true;
        self
    }

    /// Returns the chart as an SVG document without a prologue, which can be embedded in HTML. It is 460 pixels wide.
    pub fn svg(&self) -> String {
        let widest = self.rows.iter().map(|row| text_width(row.name, 12.0)).fold(0.0, f64::max);
        let left = widest.min(170.0) + 22.0;
        let right = WIDTH - 24.0;
        let scale = Scale::new(self.range(), (left, right));
        let bottom = TOP + ROW_HEIGHT * self.rows.len() as f64;
        let height = bottom + 28.0;
        let mut svg = Markup::default();
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("viewBox", &format!("0 0 {WIDTH} {height}")),
                ("width", &WIDTH),
                ("height", &height),
                ("font-family", &"system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"),
                ("role", &"img"),
            ],
        );
        svg.text("title", &[], self.title);
        svg.leaf("rect", &[("width", &WIDTH), ("height", &height), ("fill", &"#ffffff")]);
        text(&mut svg, (12.0, 18.0), "start", &truncate(self.title, 13.0, WIDTH - 24.0), &[("font-weight", &"600")]);
        for at in scale.ticks(self.format) {
            let x = scale.x(at);
            let stroke = if at == 0.0 && self.includes_zero { INK } else { "#dddddd" };
            line(&mut svg, (x, TOP - 4.0), (x, bottom), stroke, 1.0);
            text(&mut svg, (x, bottom + 16.0), "middle", &(self.format)(at), &[]);
        }
        for (index, row) in self.rows.iter().enumerate() {
            let middle = TOP + ROW_HEIGHT * (index as f64 + 0.5);
            text(&mut svg, (left - 10.0, middle + 4.0), "end", &truncate(row.name, 12.0, 170.0), &[]);
            self.draw_row(&mut svg, row, middle, &scale);
        }
        line(&mut svg, (left, bottom), (right, bottom), LINE_GREY, 1.0);
        svg.finish()
    }

    fn draw_row(&self, svg: &mut Markup, row: &ChartRow<'_>, middle: f64, scale: &Scale) {
        if !row.value.is_finite() {
            return;
        }
        let mut tooltip = format!("{}: {}", row.name, (self.format)(row.value));
        if let Some((low, high)) = row.interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            tooltip += &format!(" ({} to {})", (self.format)(low), (self.format)(high));
            let (from, until) = (scale.x(low), scale.x(high));
            line(svg, (from, middle), (until, middle), INK, 2.0);
            for end in [from, until] {
                line(svg, (end, middle - 5.0), (end, middle + 5.0), INK, 2.0);
            }
        }
        let x = scale.x(row.value);
        svg.leaf_with_tooltip(
            "circle",
            &[
                ("cx", &x),
                ("cy", &middle),
                ("r", &5.0),
                ("fill", &"#0072b2"),
                ("stroke", &"#ffffff"),
                ("stroke-width", &1.5),
            ],
            Some(&tooltip),
        );
    }

    /// Returns the smallest and the largest number to be drawn.
    fn range(&self) -> (f64, f64) {
        let numbers = self.rows.iter().flat_map(|row| {
            let (low, high) = row.interval.unwrap_or((row.value, row.value));
            [row.value, low, high]
        });
        let zero = self.includes_zero.then_some(0.0);
        let numbers = numbers.filter(|number| number.is_finite()).chain(zero);
        numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)))
    }
}

fn text(svg: &mut Markup, (x, y): (f64, f64), anchor: &str, content: &str, more: &[(&str, &dyn Attribute)]) {
    let mut attributes: Vec<(&str, &dyn Attribute)> =
        vec![("x", &x), ("y", &y), ("font-size", &12.0), ("fill", &INK), ("text-anchor", &anchor)];
    attributes.extend_from_slice(more);
    svg.text("text", &attributes, content);
}

fn line(svg: &mut Markup, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str, width: f64) {
    svg.leaf(
        "line",
        &[("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2), ("stroke", &stroke), ("stroke-width", &width)],
    );
}

/// Maps values to horizontal positions, in pixels.
struct Scale {
    low: f64,
    high: f64,
    left: f64,
    right: f64,
}

impl Scale {
    /// Returns a scale with a margin at both ends. A single number is in the middle.
    fn new((low, high): (f64, f64), (left, right): (f64, f64)) -> Self {
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let margin = match (high - low) * 0.04 {
            margin if margin > 0.0 => margin,
            _ => (high.abs() * 0.05).max(1e-9),
        };
        Self { low: low - margin, high: high + margin, left, right }
    }

    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Returns round numbers, as densely as their labels fit.
    fn ticks(&self, format: fn(f64) -> String) -> Vec<f64> {
        let span = self.high - self.low;
        // `libm` gives the same bits on every platform; the standard library does not.
        let power = libm::exp10(libm::floor(libm::log10(span)) - 1.0);
        for step in [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|step| step * power) {
            let ticks: Vec<f64> = (0..=200)
                .map(|index| ((self.low / step).ceil() + f64::from(index)) * step)
                .take_while(|at| *at <= self.high)
                // Minus zero would be formatted as -0.
                .map(|at| if at == 0.0 { 0.0 } else { at })
                .collect();
            let widest = ticks.iter().map(|at| text_width(&format(*at), 12.0)).fold(0.0, f64::max);
            if ticks.len() as f64 * (widest + 14.0) <= self.right - self.left {
                return ticks;
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(value: f64) -> String {
        format!("{value}")
    }

    #[test]
    fn values_are_mapped_to_positions() {
        let scale = Scale::new((0.0, 100.0), (0.0, 104.0 + 4.0));
        assert_eq!(scale.x(0.0), 4.0);
        assert_eq!(scale.x(50.0), 54.0);
        assert_eq!(scale.ticks(format)[..2], [0.0, 50.0]);
    }

    #[test]
    fn any_numbers_give_a_chart() {
        for value in [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300, -5.0] {
            for interval in [None, Some((value, value)), Some((f64::NEG_INFINITY, 1.0)), Some((-1e300, 1e300))] {
                let svg = Chart::new("<title>", format).row("a & b", value, interval).include_zero().svg();
                assert!(svg.contains("&lt;title&gt;") && !svg.contains("NaN") && !svg.contains("inf\""), "{svg}");
            }
        }
        assert!(Chart::new("nothing", format).svg().starts_with("<svg"));
    }
}
