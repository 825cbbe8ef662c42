//! The tables and charts of the report.

use super::format::{format_difference, format_estimate, format_seconds, scale};
use crate::experiment::{Comparison, ExperimentReport, Metric, PolicyReport};
use crate::picture::Chart;
use crate::picture::markup::Markup;

/// Metrics that have a chart, if one is not 0 for every policy.
const CHARTS: [Metric; 6] = [
    Metric::Availability,
    Metric::Healthy,
    Metric::Outages,
    Metric::LongestOutage,
    Metric::MeanRecovery,
    Metric::Restarts,
];

/// Adds the table of estimates: a column for each policy, a row for each metric that is not 0 for every policy.
pub(super) fn figures(page: &mut Markup, report: &ExperimentReport) {
    let is_shown = |metric: Metric| {
        let is_nonzero = |policy: &PolicyReport| policy.figures.get(&metric).is_some_and(|figure| figure.mean != 0.0);
        CHARTS.contains(&metric) && metric != Metric::MeanRecovery || report.policies.iter().any(is_nonzero)
    };
    table(page, &report.policies, |page| {
        for metric in Metric::ALL.into_iter().filter(|metric| is_shown(*metric)) {
            row(page, metric.label(), &report.policies, |policy| {
                let figure = policy.figures.get(&metric)?;
                Some(format_estimate(figure.mean, figure.interval, metric))
            });
        }
        if report.policies.iter().any(|policy| policy.recovery.count > 0) {
            row(page, "time to recovery, median", &report.policies, |policy| {
                let recovery = policy.recovery;
                let rest = [("95th percentile", recovery.p95), ("maximum", recovery.max)];
                let rest =
                    rest.into_iter().filter_map(|(label, time)| Some(format!("{label} {}", format_seconds(time?))));
                Some((format_seconds(recovery.p50?), Some(rest.collect::<Vec<_>>().join(", "))))
            });
        }
        if report.policies.iter().any(|policy| policy.recovery.unfinished > 0) {
            row(page, "runs not recovered at the end", &report.policies, |policy| {
                Some((policy.recovery.unfinished.to_string(), None))
            });
        }
        if report.policies.iter().any(|policy| policy.gave_up.count > 0) {
            row(page, "terminated at, median", &report.policies, |policy| {
                let (median, first) = (policy.gave_up.median?, policy.gave_up.first?);
                Some((format_seconds(median), Some(format!("earliest {}", format_seconds(first)))))
            });
        }
    });
}

/// Adds the table of comparisons: a row for each metric in which a policy differs from the first.
pub(super) fn comparison(page: &mut Markup, report: &ExperimentReport) {
    let others = report.policies.get(1..).unwrap_or_default();
    let differs = |metric: &Metric| {
        others.iter().filter_map(|policy| policy.differences.get(metric)).any(|one| one.compared != Comparison::Same)
    };
    table(page, others, |page| {
        for metric in Metric::ALL.into_iter().filter(differs) {
            row(page, metric.label(), others, |policy| {
                let difference = policy.differences.get(&metric)?;
                Some(match difference.compared {
                    Comparison::Same => (difference.compared.to_string(), None),
                    compared => {
                        let (number, interval) = format_difference(difference.mean, difference.interval, metric);
                        let interval = interval.map(|interval| format!(" ({interval})")).unwrap_or_default();
                        (compared.to_string(), Some(format!("{number}{interval}")))
                    }
                })
            });
        }
    });
}

fn table(page: &mut Markup, policies: &[PolicyReport], rows: impl FnOnce(&mut Markup)) {
    page.open("div", &[("class", &"wide")]);
    page.open("table", &[]);
    page.open("thead", &[]);
    page.open("tr", &[]);
    page.text("th", &[], "");
    policies.iter().for_each(|policy| page.text("th", &[("scope", &"col")], &policy.name));
    page.close();
    page.close();
    page.open("tbody", &[]);
    rows(page);
    page.close();
    page.close();
    page.close();
}

/// Adds a row: for each policy a number, and optionally a text in small print.
fn row(
    page: &mut Markup,
    label: &str,
    policies: &[PolicyReport],
    cell: impl Fn(&PolicyReport) -> Option<(String, Option<String>)>,
) {
    page.open("tr", &[]);
    page.text("th", &[("scope", &"row")], label);
    for policy in policies {
        page.open("td", &[]);
        let (number, small) = cell(policy).unwrap_or_else(|| ("–".to_owned(), None));
        page.text("span", &[], &number);
        if let Some(small) = small {
            page.text("small", &[], &small);
        }
        page.close();
    }
    page.close();
}

/// Adds the charts of the metrics that are not 0 for every policy.
pub(super) fn charts(page: &mut Markup, report: &ExperimentReport) {
    page.open("div", &[("class", &"charts")]);
    for metric in CHARTS {
        let figures: Vec<_> = report
            .policies
            .iter()
            .filter_map(|policy| policy.figures.get(&metric).map(|figure| (policy.name.as_str(), figure)))
            .collect();
        if figures.iter().all(|(_, figure)| figure.mean == 0.0) {
            continue;
        }
        let ends = figures.iter().map(|(_, figure)| figure.interval.map_or(figure.mean, |interval| interval.high));
        let (unit, format) = scale(metric, ends.fold(0.0, f64::max));
        let mut chart = Chart::new(metric.label(), format);
        for (name, figure) in figures {
            let interval = figure.interval.map(|interval| (interval.low / unit, interval.high / unit));
            chart = chart.row(name, figure.mean / unit, interval);
        }
        page.embed(&chart.svg());
    }
    page.close();
}
