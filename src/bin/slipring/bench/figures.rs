//! Figures of several repeats, and how people read them.

use serde_json::{Value, json};

/// A figure of several repeats.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` if there are none.
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let median = *figures.get(figures.len() / 2)?;
        Some(Self { median, min: *figures.first()?, max: *figures.last()? })
    }

    /// A figure that grows with this one.
    pub fn times(self, factor: f64) -> Self {
        Self { median: self.median * factor, min: self.min * factor, max: self.max * factor }
    }

    /// One that falls as this one grows.
    pub fn under(self, whole: f64) -> Self {
        Self { median: whole / self.median, min: whole / self.max, max: whole / self.min }
    }

    /// `40.9 ns (32.0 ns to 91.1 ns)`.
    pub fn text(self, unit: fn(f64) -> String) -> String {
        format!("{} ({} to {})", unit(self.median), unit(self.min), unit(self.max))
    }

    pub fn json(self) -> Value {
        json!({"median": self.median, "min": self.min, "max": self.max})
    }
}

/// Nanoseconds, for people.
pub fn time(ns: f64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)];
    match units.iter().find(|(_, factor)| ns >= *factor) {
        Some((unit, factor)) => format!("{} {unit}", digits(ns / factor)),
        None => format!("{} ns", digits(ns)),
    }
}

/// A count, for people.
pub fn count(count: f64) -> String {
    let units = [("G", 1e9), ("M", 1e6), ("k", 1e3)];
    match units.iter().find(|(_, factor)| count >= *factor) {
        Some((unit, factor)) => format!("{} {unit}", digits(count / factor)),
        None => digits(count),
    }
}

/// Three of them.
fn digits(value: f64) -> String {
    let decimals = match value {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_people() {
        for (ns, text) in
            [(7.346, "7.35 ns"), (182.4, "182 ns"), (2345.0, "2.35 µs"), (6e10, "60.0 s")]
        {
            assert_eq!(time(ns), text);
        }
        for (number, text) in [(58_312_345.0, "58.3 M"), (999.0, "999"), (1e9, "1.00 G")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn the_fastest_takes_least() {
        let spread = Spread::of(vec![40.0, 10.0, 20.0]).expect("figures");
        assert_eq!((spread.median, spread.min, spread.max), (20.0, 10.0, 40.0));
        let under = spread.under(80.0);
        assert_eq!((under.median, under.min, under.max), (4.0, 2.0, 8.0));
        assert!(Spread::of(Vec::new()).is_none());
    }
}
