//! The HTML page: its structure and style.

use super::format::format_seconds;
use super::{figures, typical_runs};
use crate::experiment::{Experiment, ExperimentReport};
use crate::picture::markup::Markup;

const STYLE: &str = "
body { font: 16px/1.5 system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 980px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; line-height: 1.25; margin: 0 0 .4em; }
h2 { font-size: 1.25em; margin: 2em 0 .5em; }
h3 { font-size: 1em; margin: 1.5em 0 .3em; }
.question { font-size: 1.15em; margin: .2em 0 1em; }
.answer, .partial { border-left: 4px solid #0072b2; padding: .2em 0 .2em 1em; white-space: pre-line; }
.partial { border-color: #9c2f00; }
.note { white-space: pre-line; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35em .9em .35em 0; border-bottom: 1px solid #d5d5d5; text-align: right; vertical-align: top; }
thead th { border-bottom: 2px solid #1a1a1a; vertical-align: bottom; }
th:first-child { text-align: left; font-weight: 400; min-width: 12em; }
td { min-width: 8em; }
td small { display: block; color: #4d4d4d; }
.wide { overflow-x: auto; }
.charts { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
figure { margin: 0; }
figure svg, .charts svg { max-width: 100%; height: auto; border: 1px solid #d5d5d5; }
figcaption, .small { color: #4d4d4d; font-size: .9em; }
pre { font-size: .85em; background: #f5f5f5; padding: .8em; overflow-x: auto; }
@media print { details > * { display: block; } figure, tr { break-inside: avoid; } }
";

/// Returns the report of an experiment as an HTML page: question and answer, tables, charts, and the timeline of a typical
/// run of each policy, which is simulated again for it. The page loads nothing and contains no script. Where a timeline
/// cannot be drawn, the page says why.
///
/// ```
/// use uphold_lab::experiment::Experiment;
/// use uphold_lab::files::parse_yaml;
/// use uphold_lab::report;
///
/// let experiment: Experiment = parse_yaml(
///     "{policies: [{name: a, policy: {replicas: 2, retry: true}}], faults: {failures: {after: 6h}}, until: 1d, seeds: 5}",
/// )?;
/// let page = report::html(&experiment, &experiment.run()?);
/// assert!(page.starts_with("<!DOCTYPE html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn html(experiment: &Experiment, report: &ExperimentReport) -> String {
    let title = [&report.name, &report.question].into_iter().flatten().next().map_or("Experiment", String::as_str);
    let mut page = Markup::new("<!DOCTYPE html>\n");
    page.open("html", &[("lang", &"en")]);
    page.open("head", &[]);
    page.leaf("meta", &[("charset", &"utf-8")]);
    page.leaf("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
    page.text("title", &[], &title.replace('`', ""));
    page.open("style", &[]);
    page.embed(STYLE);
    page.close();
    page.close();
    page.open("body", &[]);
    head(&mut page, report, title);
    page.text("h2", &[], "Figures");
    figures::figures(&mut page, report);
    page.text("p", &[("class", &"small")], "In small print: 95 % confidence interval of the mean.");
    figures::charts(&mut page, report);
    if let [first, _, ..] = report.policies.as_slice() {
        page.text("h2", &[], &format!("Compared with ‘{}’, history by history", first.name));
        figures::comparison(&mut page, report);
        let note = "Every policy met the same histories, so differences are more certain than the intervals above \
                    suggest. Differences of shares are in percentage points. Not significant: the 95 % confidence \
                    interval of the difference contains 0. About one in twenty comparisons of identical policies is \
                    significant by chance.";
        page.text("p", &[("class", &"small")], note);
    }
    page.text("h2", &[], "A typical run of each policy");
    typical_runs::pictures(&mut page, experiment, report);
    page.text("h2", &[], "The policies");
    for (name, policy) in experiment.policies() {
        page.open("details", &[]);
        page.text("summary", &[], name);
        page.text("pre", &[], &serde_json::to_string_pretty(policy).unwrap_or_else(|error| error.to_string()));
        page.close();
    }
    page.finish()
}

fn head(page: &mut Markup, report: &ExperimentReport, title: &str) {
    page.prose("h1", &[], title);
    if let Some(question) = report.question.as_ref().filter(|question| *question != title) {
        page.prose("p", &[("class", &"question")], question);
    }
    if let Some(answer) = &report.answer {
        page.prose("p", &[("class", &"answer")], answer.trim());
    }
    if let Some(note) = &report.note {
        page.prose("p", &[("class", &"note")], note.trim());
    }
    let until = format_seconds(report.until_seconds);
    let first = report.first_seed;
    if report.is_partial() {
        let text =
            format!("Stopped early: {} of {} histories of {until} each are complete.", report.seeds_done, report.seeds);
        page.text("p", &[("class", &"partial")], &text);
    } else {
        let histories = if report.seeds == 1 { "history" } else { "histories" };
        let text = format!(
            "{} {histories} of {until} each, the same for every policy, starting with seed {first}.",
            report.seeds
        );
        page.text("p", &[], &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Metric;
    use crate::files::parse_yaml;

    fn experiment(policies: usize) -> Experiment {
        let policy =
            |index| format!("  - {{name: '<{index}> & co', policy: {{replicas: 2, retry: {{interval: 5s}}}}}}\n");
        let policies: String = (0..policies).map(policy).collect();
        let text = format!(
            "question: Which <one>?\nanswer: |\n  None.\n  Really.\npolicies:\n{policies}\
             faults: {{ready_in: 20s, failures: {{after: {{exponential: {{mean: 3h}}}}}}}}\nuntil: 1d\nseeds: 5\n"
        );
        parse_yaml(&text).unwrap()
    }

    fn texts(page: &str, tag: &str) -> Vec<String> {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(page, options).unwrap();
        let named = document.descendants().filter(|node| node.tag_name().name() == tag);
        named.map(|node| node.descendants().filter_map(|inner| inner.text()).next().unwrap_or("").to_owned()).collect()
    }

    #[test]
    fn the_page_contains_question_answer_tables_and_a_picture_of_each_policy() {
        let experiment = experiment(3);
        let page = html(&experiment, &experiment.run().unwrap());
        assert_eq!(texts(&page, "h1"), ["Which <one>?"]);
        assert!(page.contains("<p class=\"answer\">None.\nReally.</p>"));
        assert_eq!(texts(&page, "h3"), ["<0> & co", "<1> & co", "<2> & co"]);
        assert_eq!(texts(&page, "figure").len(), 3);
        assert_eq!(texts(&page, "table").len(), 2);
        assert_eq!(texts(&page, "summary").len(), 3);
        assert!(texts(&page, "p").iter().any(|text| text.starts_with("5 histories of 24\u{a0}h each")), "{page}");
    }

    #[test]
    fn a_single_policy_has_no_comparison() {
        let experiment = experiment(1);
        let page = html(&experiment, &experiment.run().unwrap());
        assert_eq!(texts(&page, "table").len(), 1);
        assert!(!page.contains("Compared with"));
    }

    #[test]
    fn a_picture_that_is_left_out_is_explained() {
        let experiment = experiment(18);
        let mut report = experiment.run().unwrap();
        report.seeds = 9;
        if let Some(restarts) = report.policies[0].figures.get_mut(&Metric::Restarts) {
            restarts.mean = 1e6;
        }
        let page = html(&experiment, &report);
        let paragraphs = texts(&page, "p");
        assert!(
            paragraphs.iter().any(|text| text.ends_with("about 1000000 restarts are too many; make 'until' shorter."))
        );
        assert!(paragraphs.iter().any(|text| text == "Only the first 16 policies have pictures."));
        assert!(
            paragraphs.iter().any(|text| text == "Stopped early: 5 of 9 histories of 24\u{a0}h each are complete."),
            "{paragraphs:?}"
        );
        assert_eq!(texts(&page, "figure").len(), 15);
    }
}
