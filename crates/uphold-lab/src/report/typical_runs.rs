//! The timeline of a typical run of each policy.

use crate::experiment::{Experiment, ExperimentReport, Metric, PolicyReport};
use crate::picture::Timeline;
use crate::picture::markup::Markup;

/// The most pictures. It bounds the size of the page.
const MAX_PICTURES: usize = 16;

/// The most restarts of a run that is drawn. It bounds the memory for its trace.
const MAX_RESTARTS: f64 = 200_000.0;

/// Adds the run with the median availability for each policy.
pub(super) fn pictures(page: &mut Markup, experiment: &Experiment, report: &ExperimentReport) {
    for (index, policy) in report.policies.iter().enumerate().take(MAX_PICTURES) {
        let seed = policy.typical_seed;
        page.text("h3", &[], &policy.name);
        match picture(experiment, index, policy) {
            Ok(svg) => {
                page.open("figure", &[]);
                page.embed(&svg);
                let caption = format!("Seed {seed}: the run with the median availability under this policy.");
                page.text("figcaption", &[], &caption);
                page.close();
            }
            Err(reason) => page.text("p", &[], &format!("No picture of seed {seed}: {reason}.")),
        }
    }
    if report.policies.len() > MAX_PICTURES {
        page.text("p", &[], &format!("Only the first {MAX_PICTURES} policies have pictures."));
    }
}

fn picture(experiment: &Experiment, index: usize, policy: &PolicyReport) -> Result<String, String> {
    let restarts = policy.figures.get(&Metric::Restarts).map_or(0.0, |figure| figure.mean);
    if restarts > MAX_RESTARTS {
        return Err(format!("about {restarts:.0} restarts are too many; make 'until' shorter"));
    }
    let run = experiment.run_of(index, policy.typical_seed).map_err(|error| error.to_string())?;
    let title = format!("{}, seed {}", policy.name, policy.typical_seed);
    Timeline::of(&run).title(&title).svg().map_err(|error| error.to_string())
}
