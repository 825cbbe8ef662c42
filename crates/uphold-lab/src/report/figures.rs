//! The figures of a report: tables and charts.

use super::format::{format_difference, format_estimate, format_seconds, scale};
use crate::experiment::{Comparison, ExperimentReport, Metric, PolicyReport};
use crate::picture::Chart;
use crate::picture::markup::Markup;

/// What policies are compared by, and what has a chart if it is not 0 for all.
const CHARTS: [Metric; 6] = [
    Metric::Availability,
    Metric::Healthy,
    Metric::Outages,
    Metric::LongestOutage,
    Metric::MeanRecovery,
    Metric::Restarts,
];

/// A row for each metric that is not 0 for all, a column for each policy.
pub(super) fn figures(page: &mut Markup, report: &ExperimentReport) {
    let says = |metric: Metric| {
        let is = |policy: &PolicyReport| policy.figures.get(&metric).is_some_and(|figure| figure.mean != 0.0);
        CHARTS.contains(&metric) && metric != Metric::MeanRecovery || report.policies.iter().any(is)
    };
    table(page, &report.policies, |page| {
        for metric in Metric::ALL.into_iter().filter(|metric| says(*metric)) {
            row(page, metric.label(), &report.policies, |policy| {
                let figure = policy.figures.get(&metric)?;
                Some(format_estimate(figure.mean, figure.interval, metric))
            });
        }
        if report.policies.iter().any(|policy| policy.recovery.count > 0) {
            row(page, "time to recover: half within", &report.policies, |policy| {
                let recovery = policy.recovery;
                let rest = [("95 %", recovery.p95), ("all", recovery.max)];
                let rest = rest
                    .into_iter()
                    .filter_map(|(word, time)| Some(format!("{word} within {}", format_seconds(time?))));
                Some((format_seconds(recovery.p50?), Some(rest.collect::<Vec<_>>().join(", "))))
            });
        }
        if report.policies.iter().any(|policy| policy.recovery.unfinished > 0) {
            row(page, "runs not healthy again by their end", &report.policies, |policy| {
                Some((policy.recovery.unfinished.to_string(), None))
            });
        }
        if report.policies.iter().any(|policy| policy.gave_up.count > 0) {
            row(page, "terminated: half by", &report.policies, |policy| {
                let (median, first) = (policy.gave_up.median?, policy.gave_up.first?);
                Some((format_seconds(median), Some(format!("the earliest at {}", format_seconds(first)))))
            });
        }
    });
}

/// A row for each metric in which a policy differs from the first.
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

/// Of each policy a number, and in small print what there is to say of it.
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

/// A chart for each metric that tells something.
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
