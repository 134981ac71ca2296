//! What the figures say, as one page: tables of points on a scale, drawn in place, and nothing that
//! has to be fetched.

use std::fmt::Write;

use super::record::Record;
use super::statistics::Estimate;
use super::summary::{Group, Metric, Verdict, groups};
use super::tables::{LEGEND, about, heading, late, provenance, reference, versioned};

/// The scale's ends: half and double, beyond which points stick to the edge.
const SCALE: [f64; 2] = [0.5, 2.0];

/// Widths in pixels of names and of the scale; height of a line.
const NAMES: f64 = 150.0;
const WIDTH: f64 = 420.0;
const LINE: f64 = 22.0;

/// Room right of the scale for the figures.
const FIGURES: f64 = 170.0;

const STYLE: &str = "
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; \
color: #222; background: #fff }
h1, h2, h3 { line-height: 1.2 }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem }
figure { margin: 0 } figcaption { font-weight: 600 }
svg text { font: 12px system-ui, sans-serif; fill: currentColor }
.ahead { fill: #1a7f37; stroke: #1a7f37 } .level { fill: #6e7781; stroke: #6e7781 }
.behind { fill: #cf222e; stroke: #cf222e }
.one { stroke: currentColor; stroke-dasharray: 3 3 } .grid { stroke: #d0d7de }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #111 } .grid { stroke: #333 } }
";

/// The page.
pub fn html(record: &Record) -> String {
    let mut body = String::new();
    let mut paragraph = |text: &str| body.push_str(&format!("<p>{}</p>\n", escaped(text)));
    paragraph(&provenance(record));
    paragraph(LEGEND);
    paragraph("On the scales green is ahead, grey is neither, red is behind.");
    if let Some(line) = reference(record) {
        paragraph(&line);
    }
    for group in groups(record) {
        body.push_str(&format!("<h2>{}</h2>\n", escaped(&heading(record, &group))));
        body.push_str(&format!("<p>{}</p>\n", escaped(&about(&group))));
        for metric in group.metrics(record) {
            plots(&mut body, record, &group, *metric);
        }
        if let Some(line) = late(&group) {
            body.push_str(&format!("<p>{}</p>\n", escaped(&line)));
        }
    }
    if !record.left_out.is_empty() {
        body.push_str("<h2>Left out</h2>\n<ul>\n");
        for one in &record.left_out {
            let line = format!("{}, {}: {}", one.what, one.rival, one.reason);
            body.push_str(&format!("<li>{}</li>\n", escaped(&line)));
        }
        body.push_str("</ul>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Comparison</title>\n\
         <style>{STYLE}</style>\n<h1>Comparison</h1>\n{body}</html>\n"
    )
}

/// The plots of a metric, one for each cell and one for the mean.
fn plots(body: &mut String, record: &Record, group: &Group<'_>, metric: Metric) {
    let mut figures = String::new();
    for (scenario, cell) in &group.cells {
        let points = group
            .rivals
            .iter()
            .filter_map(|rival| Some((*rival, metric.ratio(group.row(scenario, cell, rival)?)?)));
        plot(&mut figures, record, &cell.title(scenario), metric, points.collect());
    }
    if group.has_mean() {
        let points = group
            .rivals
            .iter()
            .filter_map(|rival| Some((*rival, metric.mean(&group.whole(rival)?)?)));
        plot(&mut figures, record, "geometric mean", metric, points.collect());
    }
    if !figures.is_empty() {
        let better = if metric.is_cost() { "less" } else { "more" };
        let title = format!("{}, {} / rival: {better} is better", metric.title(), group.subject);
        body.push_str(&format!(
            "<h3>{}</h3>\n<div class=\"plots\">\n{figures}</div>\n",
            escaped(&title)
        ));
    }
}

/// A point and its interval for each rival, on a scale of ratios; nothing if there are none.
fn plot(
    out: &mut String,
    record: &Record,
    title: &str,
    metric: Metric,
    points: Vec<(&str, Estimate)>,
) {
    if points.is_empty() {
        return;
    }
    let height = LINE * (points.len() + 1) as f64;
    let width = NAMES + WIDTH + FIGURES;
    let mut svg = String::new();
    for (tick, class) in [(0.5, "grid"), (0.75, "grid"), (1.0, "one"), (1.5, "grid"), (2.0, "grid")]
    {
        let x = place(tick);
        let bottom = height - LINE;
        let _ = write!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{bottom}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            height - 6.0
        );
    }
    for (at, (rival, ratio)) in points.iter().enumerate() {
        let y = LINE * (at as f64 + 0.5);
        let class = match metric.verdict(*ratio) {
            Verdict::Ahead => "ahead",
            Verdict::Level => "level",
            Verdict::Behind => "behind",
        };
        let Estimate { value, low, high } = *ratio;
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text>\
             <line class=\"{class}\" stroke-width=\"2\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>\
             <circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y}\" r=\"4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{value:.2} [{low:.2}, {high:.2}]</text>",
            y + 4.0,
            escaped(&versioned(record, rival)),
            place(low),
            place(high),
            place(value),
            NAMES + WIDTH + 12.0,
            y + 4.0,
        );
    }
    let _ = writeln!(
        out,
        "<figure><figcaption>{}</figcaption><svg width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">{svg}</svg></figure>",
        escaped(title)
    );
}

/// Where a ratio stands on the scale, which is logarithmic: half is as far from one as double.
fn place(ratio: f64) -> f64 {
    let [low, high] = SCALE;
    let part = (ratio / low).ln() / (high / low).ln();
    NAMES + WIDTH * part.clamp(0.0, 1.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::record::sample;
    use super::*;

    #[test]
    fn the_page_stands_alone_and_has_a_plot_for_each_cell_and_the_mean() {
        let page = html(&sample::record());
        // Four metrics, two cells and a mean.
        assert_eq!(page.matches("<figure>").count(), 12);
        assert_eq!(page.matches("<figure>").count(), page.matches("</svg></figure>").count());
        assert!(page.contains("class=\"behind\"") && page.contains("class=\"ahead\""));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
        assert!(page.contains("no such package"));
    }

    #[test]
    fn half_and_double_are_as_far_from_one() {
        let middle = place(1.0);
        assert!((middle - place(0.5) - (place(2.0) - middle)).abs() < 1e-9);
        assert_eq!(place(0.1), place(0.5));
        assert_eq!(place(9.0), place(2.0));
    }

    #[test]
    fn what_others_said_is_text() {
        assert_eq!(escaped("a<b> & c"), "a&lt;b&gt; &amp; c");
    }
}
