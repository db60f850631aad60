//! The plots: latency and throughput by size, scaling by producers and workers and by groups. Of the place that the cores were in most.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Result;
use crate::contenders::ALL;
use crate::message::SIZES;
use crate::report::{Results, bytes, words};
use crate::rows::{Place, Row};
use crate::work::{Mode, Work};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of a plot.
struct Series {
    id: String,
    /// Where on the x axis, the value, and how far up it reaches if it is the lower end of a range.
    points: Vec<(usize, f64, Option<f64>)>,
}

struct Plot {
    file: &'static str,
    title: &'static str,
    x: Vec<String>,
    y: &'static str,
    series: Vec<Series>,
}

/// Draws all, and says their titles and files.
pub fn draw(dir: &Path, results: &Results) -> Result<Vec<(&'static str, &'static str)>> {
    let Some(&place) = results.places().first() else { return Ok(Vec::new()) };
    let mut drawn = Vec::new();
    for plot in [
        latency(results, place),
        throughput(results, place),
        pools(results, place),
        groups(results, place),
    ] {
        if !plot.series.is_empty() {
            let path = dir.join(plot.file);
            plot.draw(&SVGBackend::new(&path, (960, 540)).into_drawing_area(), place)?;
            drawn.push((plot.title, plot.file));
        }
    }
    Ok(drawn)
}

/// A series for each contender that has points among these works.
fn series(
    results: &Results,
    place: Place,
    works: &[(Work, usize)],
    value: impl Fn(&Row) -> (f64, Option<f64>),
) -> Vec<Series> {
    let of = |id: String| {
        let points = works.iter().enumerate().filter_map(|(x, (work, size))| {
            let (from, to) = value(results.find(&work.name(), *size, &id, place)?);
            Some((x, from, to))
        });
        let points: Vec<_> = points.collect();
        Series { points, id }
    };
    ALL.iter().map(|one| of(one.id())).filter(|series| series.points.len() > 1).collect()
}

fn latency(results: &Results, place: Place) -> Plot {
    Plot {
        file: "latency.svg",
        title: "Round trip, p50 to p99.9",
        x: SIZES.map(bytes).to_vec(),
        y: "nanoseconds",
        series: series(results, place, &SIZES.map(|size| (Work::ROUND_TRIP, size)), |row| {
            let top = row.latency_ns.map(|at| at.p99_9 as f64);
            (row.latency_ns.map_or(row.median, |at| at.p50 as f64), top)
        }),
    }
}

fn throughput(results: &Results, place: Place) -> Plot {
    let works = SIZES.map(|size| (Work::one_way(Mode::Single), size));
    Plot {
        file: "throughput.svg",
        title: "One way, one by one",
        x: SIZES.map(bytes).to_vec(),
        y: "messages a second",
        series: series(results, place, &works, |row| (row.median, None)),
    }
}

fn pools(results: &Results, place: Place) -> Plot {
    let pools = [(1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2)];
    let works = pools.map(|(from, to)| (Work::pool(Mode::Single, from, to), 64));
    let series = series(results, place, &works, |row| (row.median, None));
    Plot {
        file: "pools.svg",
        title: "Producers to workers, 64 B, one by one",
        x: pools.map(|(from, to)| format!("{from} to {to}")).to_vec(),
        y: "messages a second",
        // The others are there with 1 to 1 only.
        series,
    }
}

fn groups(results: &Results, place: Place) -> Plot {
    let groups = [1, 2, 3, 4, 8];
    let works = groups.map(|count| (Work::fan_out(Mode::Batch, count), 64));
    let beyond_one = |series: &Series| series.points.iter().any(|(x, ..)| *x > 0);
    let mut series = series(results, place, &works, |row| (row.median, None));
    series.retain(beyond_one);
    Plot {
        file: "groups.svg",
        title: "Fan-out to groups that all see everything, 64 B, batches",
        x: groups.map(|count| count.to_string()).to_vec(),
        y: "messages a second",
        series,
    }
}

/// Slipring stands out; the others differ from each other by hue, and threads from processes by their thinner line.
fn style(id: &str) -> ShapeStyle {
    let position = ALL.iter().position(|one| one.id() == id).unwrap_or(0);
    match id {
        "slipring" => RGBColor(0, 70, 200).stroke_width(4),
        "slipring, threads" => RGBColor(70, 150, 255).stroke_width(3),
        _ => {
            let hue = (position as f64 * 0.618_034) % 1.0;
            HSLColor(hue, 0.6, [0.35, 0.5, 0.62][position % 3]).stroke_width(1)
        }
    }
}

impl Plot {
    fn draw(&self, area: &Area, place: Place) -> Result<()> {
        area.fill(&WHITE)?;
        let values = self.series.iter().flat_map(|series| {
            series.points.iter().flat_map(|&(_, from, to)| [from, to.unwrap_or(from)])
        });
        let (least, most) = values
            .fold((f64::MAX, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        let right = self.x.len() as f64 - 0.6;
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{} ({})", self.title, words(place)), ("sans-serif", 20))
            .margin(12)
            .margin_right(190)
            .x_label_area_size(36)
            .y_label_area_size(84)
            .build_cartesian_2d(-0.2..right, (least * 0.7..most * 1.4).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.x.len())
            .x_label_formatter(&|x| self.label(*x))
            .y_label_formatter(&|y| short(*y))
            .y_desc(self.y)
            .draw()?;
        for (number, series) in self.series.iter().enumerate() {
            let style = style(&series.id);
            let shift = number as f64 * 0.02;
            let points = series.points.iter().map(|&(x, from, _)| (x as f64 + shift, from));
            chart.draw_series(LineSeries::new(points.clone(), style))?;
            chart.draw_series(points.map(|point| Circle::new(point, 3, style.filled())))?;
            let ranges = series.points.iter().filter_map(|&(x, from, to)| {
                let x = x as f64 + shift;
                Some(PathElement::new(vec![(x, from), (x, to?)], style.stroke_width(1)))
            });
            chart.draw_series(ranges)?;
        }
        self.legend(area)
    }

    fn label(&self, x: f64) -> String {
        let near = x.round();
        if (x - near).abs() > 0.01 || near < 0.0 {
            return String::new();
        }
        self.x.get(near as usize).cloned().unwrap_or_default()
    }

    /// To the right of the plot.
    fn legend(&self, area: &Area) -> Result<()> {
        let left = area.dim_in_pixel().0 as i32 - 180;
        for (number, series) in self.series.iter().enumerate() {
            let y = 60 + 22 * number as i32;
            let style = style(&series.id);
            area.draw(&PathElement::new(vec![(left, y), (left + 22, y)], style))?;
            let font = ("sans-serif", 14).into_font();
            area.draw(&Text::new(series.id.clone(), (left + 28, y - 7), font))?;
        }
        Ok(())
    }
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.0} G", v / 1e9),
        v if v >= 1e6 => format!("{:.0} M", v / 1e6),
        v if v >= 1e3 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}
