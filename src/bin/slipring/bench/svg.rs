//! Pictures, written by hand: they are few lines, bars and words.

use super::figures::{count, time};
use super::report::{Figures, Row};
use hdrhistogram::Histogram;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Of the field inside the axes.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 740.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;

/// A picture with a title. What is drawn comes from us alone, so that there is nothing to escape.
struct Picture(String);

impl Picture {
    fn new(title: &str, rows: &[Row]) -> Self {
        let mut picture = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        ));
        picture.text((LEFT, 24.0), "start", title);
        let mut right = RIGHT;
        for (near, name) in [(true, "cores near"), (false, "cores far")] {
            if rows.iter().any(|row| row.near == Some(near)) {
                picture.text((right, HEIGHT - 8.0), "end", name);
                picture.bar((right - 85.0, HEIGHT - 18.0), (10.0, 10.0), colour(Some(near)));
                right -= 120.0;
            }
        }
        picture
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\"");
        let _ = writeln!(self.0, "<text {place}>{text}</text>");
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
        let ends = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
        let _ = writeln!(self.0, "<line {ends} stroke=\"{colour}\"/>");
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        let place =
            format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"");
        let _ = writeln!(self.0, "<rect {place} fill=\"{colour}\"/>");
    }

    fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"");
        let _ = writeln!(self.0, "<polyline points=\"{points}\" {style}/>");
    }

    /// A height with its name at the left.
    fn level(&mut self, y: f64, name: &str) {
        self.line((LEFT, y), (RIGHT, y), "#dddddd");
        self.text((LEFT - 8.0, y + 4.0), "end", name);
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// Times over percentiles, both by powers of ten: 90, 99, 99.9 and so on are equally far apart. A line for each row.
pub fn percentiles(title: &str, rows: &[Row]) -> String {
    let mut picture = Picture::new(title, rows);
    let curves: Vec<_> = rows
        .iter()
        .filter_map(|row| match &row.figures {
            Figures::Latency(latency) => Some((row, &latency.times)),
            Figures::Rates(_) => None,
        })
        .collect();
    let decade = |ns: u64| (ns.max(1) as f64).log10();
    let all = |of: fn(&Histogram<u64>) -> u64| curves.iter().map(move |(_, times)| of(times));
    let low = decade(all(Histogram::min).min().unwrap_or(1)).floor();
    let high = decade(all(Histogram::max).max().unwrap_or(10) + 1).ceil();
    // The last one of the times has a place of its own.
    let most = (all(Histogram::len).max().unwrap_or(10).max(10) as f64).log10();
    let height = |at: f64| BOTTOM - (at - low) / (high - low).max(1.0) * (BOTTOM - TOP);
    let across =
        |share: f64| LEFT + (-(1.0 - share).max(0.0).log10()).min(most) / most * (RIGHT - LEFT);
    for at in low as i32..=high as i32 {
        picture.level(height(f64::from(at)), &time(10_f64.powi(at)));
    }
    for nines in 0..=most as i32 {
        let share = 1.0 - 10_f64.powi(-nines);
        let name = format!("{:.*} %", (nines - 2).max(0) as usize, share * 100.0);
        picture.line((across(share), TOP), (across(share), BOTTOM), "#dddddd");
        picture.text((across(share), BOTTOM + 20.0), "middle", &name);
    }
    for (row, times) in curves {
        let mut points = Vec::new();
        let mut below = 0.0;
        for step in times.iter_recorded() {
            let y = height(decade(step.value_iterated_to()));
            // Level until the next time begins.
            points.extend([below, step.quantile()].map(|share| (across(share), y)));
            below = step.quantile();
        }
        picture.curve(&points, colour(row.near));
    }
    picture.text((LEFT, HEIGHT - 8.0), "start", "so many of the messages took this long at most");
    picture.end()
}

/// Messages a second, each row a bar, with a line from the slowest repeat to the fastest.
pub fn bars(title: &str, rows: &[Row]) -> String {
    let mut picture = Picture::new(title, rows);
    let rates: Vec<_> = rows
        .iter()
        .filter_map(|row| match &row.figures {
            Figures::Rates(rates) => Some((row, rates)),
            Figures::Latency(_) => None,
        })
        .collect();
    let most = rates.iter().map(|(_, rates)| rates.max).fold(1.0, f64::max);
    let step = round_step(most / 5.0);
    let levels = (most / step).ceil();
    let height = |rate: f64| BOTTOM - rate / (levels * step) * (BOTTOM - TOP);
    for level in 0..=levels as u32 {
        let rate = f64::from(level) * step;
        picture.level(height(rate), &count(rate));
    }
    let room = (RIGHT - LEFT) / rates.len().max(1) as f64;
    for (number, (row, rates)) in rates.iter().enumerate() {
        let middle = LEFT + room * (number as f64 + 0.5);
        let (width, top) = ((room / 2.0).min(80.0), height(rates.median));
        let left = middle - width / 2.0;
        picture.bar((left, top), (width, BOTTOM - top), colour(row.near));
        picture.line((middle, height(rates.min)), (middle, height(rates.max)), "#222222");
        let name = format!("{} × {}", row.groups, row.members);
        picture.text((middle, BOTTOM + 20.0), "middle", &name);
    }
    let what = "messages a second; groups × members of each";
    picture.text((LEFT, HEIGHT - 8.0), "start", what);
    picture.end()
}

/// The next of 1, 2, 5, 10, 20, 50 and so on.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least);
    factor.unwrap_or(10.0) * power
}

fn colour(near: Option<bool>) -> &'static str {
    if near == Some(false) { "#dd8833" } else { "#2266aa" }
}
