//! The report as text tables.

use std::fmt;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::format::{decimals, format_seconds, format_value, format_value_without_percent};
use super::metric::Metric;
use super::report::{ExperimentReport, PolicyReport, RecoveryTimes};
use super::statistics::{Comparison, ConfidenceInterval};
use crate::sanitize::sanitize;

/// Metrics that are shown even if they are 0 for every policy.
const ALWAYS_SHOWN: [Metric; 4] = [Metric::Availability, Metric::Healthy, Metric::Outages, Metric::Restarts];

/// Metrics that the comparison shows.
const COMPARED: [Metric; 9] = [
    Metric::Availability,
    Metric::Healthy,
    Metric::Outages,
    Metric::LongestOutage,
    Metric::MeanRecovery,
    Metric::Restarts,
    Metric::WastedRestarts,
    Metric::PeakStarts,
    Metric::GaveUp,
];

/// Selects a quantile, in seconds.
type RecoveryQuantile = fn(&RecoveryTimes) -> Option<f64>;

impl fmt::Display for ExperimentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for text in [&self.name, &self.question].into_iter().flatten() {
            writeln!(f, "{}", sanitize(text))?;
        }
        let until = format_seconds(self.until_seconds);
        if self.is_partial() {
            writeln!(f, "Stopped early: {} of {} histories of {until} each.", self.seeds_done, self.seeds)?;
        } else {
            let histories = if self.seeds == 1 { "history" } else { "histories" };
            writeln!(f, "{} {histories} of {until} each, the same for every policy.", self.seeds)?;
        }
        writeln!(f, "\n{}", self.figures())?;
        f.write_str("\nIn brackets: 95 % confidence interval of the mean.\n")?;
        if self.policies.iter().any(|policy| policy.gave_up.count > 0) {
            f.write_str(
                "A terminated set has no further failures, outages or restarts: lower counts there are not an improvement.\n",
            )?;
        }
        if let [first, _, ..] = self.policies.as_slice() {
            writeln!(f, "\nCompared with '{}', history by history:\n\n{}", sanitize(&first.name), self.comparison())?;
            f.write_str(
                "\nNot significant: the 95 % confidence interval of the difference contains 0. About one in twenty comparisons of\nidentical policies is significant by chance.\n",
            )?;
        }
        Ok(())
    }
}

impl ExperimentReport {
    fn figures(&self) -> Table {
        let mut table = table(&self.policies);
        for metric in Metric::ALL {
            let is_nonzero =
                |policy: &PolicyReport| policy.figures.get(&metric).is_some_and(|figure| figure.mean != 0.0);
            if ALWAYS_SHOWN.contains(&metric) || self.policies.iter().any(is_nonzero) {
                let cells = self.policies.iter().map(|policy| {
                    let figure = policy.figures.get(&metric);
                    figure
                        .map_or_else(|| "-".to_owned(), |figure| format_estimate(figure.mean, figure.interval, metric))
                });
                table.add_row([metric.label().to_owned()].into_iter().chain(cells));
            }
            if metric == Metric::MeanRecovery {
                self.add_recovery_rows(&mut table);
            }
            if metric == Metric::GaveUpTooEarly && self.policies.iter().any(|policy| policy.gave_up.count > 0) {
                let cells = self.policies.iter().map(|policy| {
                    let gave_up = policy.gave_up;
                    gave_up.first.zip(gave_up.median).map_or_else(
                        || "-".to_owned(),
                        |(first, median)| format!("{} / {}", format_seconds(first), format_seconds(median)),
                    )
                });
                table.add_row(["terminated at: earliest / median".to_owned()].into_iter().chain(cells));
            }
        }
        table
    }

    fn add_recovery_rows(&self, table: &mut Table) {
        let quantiles: [(&str, RecoveryQuantile); 3] = [
            ("time to recovery, median", |recovery| recovery.p50),
            ("... 95th percentile", |recovery| recovery.p95),
            ("... maximum", |recovery| recovery.max),
        ];
        for (label, quantile) in quantiles {
            if self.policies.iter().any(|policy| policy.recovery.count > 0) {
                let seconds = self.policies.iter().map(|policy| quantile(&policy.recovery));
                let cells = seconds.map(|seconds| seconds.map_or_else(|| "-".to_owned(), format_seconds));
                table.add_row([label.to_owned()].into_iter().chain(cells));
            }
        }
        if self.policies.iter().any(|policy| policy.recovery.unfinished > 0) {
            let cells = self.policies.iter().map(|policy| policy.recovery.unfinished.to_string());
            table.add_row(["... runs not recovered at the end".to_owned()].into_iter().chain(cells));
        }
    }

    fn comparison(&self) -> Table {
        let others = self.policies.get(1..).unwrap_or_default();
        let mut table = table(others);
        for metric in COMPARED {
            let differs = |policy: &PolicyReport| {
                policy.differences.get(&metric).is_some_and(|difference| difference.compared != Comparison::Same)
            };
            if others.iter().any(differs) {
                let cells = others.iter().map(|policy| match policy.differences.get(&metric) {
                    Some(difference) if difference.compared == Comparison::Same => "the same".to_owned(),
                    Some(difference) => {
                        let (mean, interval) = (difference.mean, difference.interval);
                        format!("{}\n{}", difference.compared, format_difference(mean, interval, metric))
                    }
                    None => "-".to_owned(),
                });
                table.add_row([metric.label().to_owned()].into_iter().chain(cells));
            }
        }
        table
    }
}

fn table(policies: &[PolicyReport]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('-')));
    table.set_header(std::iter::once(String::new()).chain(policies.iter().map(|policy| wrap(&sanitize(&policy.name)))));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Wraps a policy's name at spaces, to about the width of the numbers below it.
fn wrap(name: &str) -> String {
    const WIDTH: usize = 20;
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn format_estimate(mean: f64, interval: Option<ConfidenceInterval>, metric: Metric) -> String {
    let decimals = decimals(mean, interval, metric);
    match interval {
        Some(interval) if interval.high > interval.low => {
            let (low, high) = (
                format_value_without_percent(interval.low, metric, decimals),
                format_value_without_percent(interval.high, metric, decimals),
            );
            format!("{}\n({low} to {high})", format_value(mean, metric, decimals))
        }
        _ => format_value(mean, metric, decimals),
    }
}

fn format_difference(mean: f64, interval: Option<ConfidenceInterval>, metric: Metric) -> String {
    let decimals = decimals(mean, interval, metric);
    let sign = |value: f64| if value < 0.0 { '-' } else { '+' };
    let bound = |value: f64| format!("{}{}", sign(value), format_value_without_percent(value.abs(), metric, decimals));
    let mean = format!("{}{}", sign(mean), format_value(mean.abs(), metric, decimals));
    match interval {
        Some(interval) if interval.high > interval.low => {
            format!("{mean}\n({} to {})", bound(interval.low), bound(interval.high))
        }
        _ => mean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_from_the_width_of_the_interval() {
        let interval = |low, high| Some(ConfidenceInterval { low, high });
        assert_eq!(format_estimate(0.9993, interval(0.9991, 0.9995), Metric::Healthy), "99.930 %\n(99.910 to 99.950)");
        assert_eq!(format_estimate(512.3, interval(500.0, 524.6), Metric::Restarts), "512\n(500 to 525)");
        assert_eq!(format_estimate(3.0, interval(3.0, 3.0), Metric::PeakStarts), "3");
        assert_eq!(format_estimate(3.0, None, Metric::PeakStarts), "3");
        assert_eq!(format_estimate(0.99993, interval(0.99993, 0.99993), Metric::Availability), "99.9930 %");
        assert_eq!(format_estimate(1.0, interval(1.0, 1.0), Metric::Availability), "100 %");
        assert_eq!(format_difference(-0.002, interval(-0.003, -0.001), Metric::Healthy), "-0.20 %\n(-0.30 to -0.10)");
    }
}
