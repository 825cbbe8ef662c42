//! A run of each policy to look at.

use crate::experiment::{Experiment, ExperimentReport, Metric, PolicyReport};
use crate::picture::Timeline;
use crate::picture::markup::Markup;

/// So many pictures at most: the page is bounded.
const MAX_PICTURES: usize = 16;

/// A run with more restarts has a trace that fills the memory.
const MAX_RESTARTS: f64 = 200_000.0;

/// The run of the median availability, for each policy.
pub(super) fn pictures(page: &mut Markup, experiment: &Experiment, report: &ExperimentReport) {
    for (place, policy) in report.policies.iter().enumerate().take(MAX_PICTURES) {
        let seed = policy.typical_seed;
        page.text("h3", &[], &policy.name);
        match picture(experiment, place, policy) {
            Ok(svg) => {
                page.open("figure", &[]);
                page.embed(&svg);
                let caption =
                    format!("Seed {seed}: of all runs under this policy the one with the median availability.");
                page.text("figcaption", &[], &caption);
                page.close();
            }
            Err(why) => page.text("p", &[], &format!("No picture of seed {seed}: {why}.")),
        }
    }
    if report.policies.len() > MAX_PICTURES {
        page.text("p", &[], &format!("Pictures of the first {MAX_PICTURES} policies only."));
    }
}

fn picture(experiment: &Experiment, place: usize, policy: &PolicyReport) -> Result<String, String> {
    let restarts = policy.figures.get(&Metric::Restarts).map_or(0.0, |figure| figure.mean);
    if restarts > MAX_RESTARTS {
        return Err(format!("about {restarts:.0} restarts are too many; make 'until' shorter"));
    }
    let run = experiment.run_of(place, policy.typical_seed).map_err(|error| error.to_string())?;
    let title = format!("{}, seed {}", policy.name, policy.typical_seed);
    Timeline::of(&run).title(&title).svg().map_err(|error| error.to_string())
}
