//! Sizes, times and starts, as people write them.

use slipring::Start;
use std::time::Duration;

/// `65536`, `64K`, `64KiB`, `1.5GiB`; `64MB` is decimal.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("use a number of bytes, or a unit as in 64MiB, 64M, 512K, 1G".into()),
    };
    scale(number, factor as f64).map(|bytes| bytes as u64).ok_or_else(|| "not a size".into())
}

/// `5s`, `500ms`, `2m`, `1h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let nanoseconds: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err("use a number of seconds, or a unit as in 5s, 500ms, 2m".into()),
    };
    let nanoseconds = scale(number, nanoseconds as f64).ok_or("not a time")?;
    Ok(Duration::from_nanos(nanoseconds as u64))
}

/// Time between two looks.
pub fn interval(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time < Duration::from_millis(10) { Err("use 10ms or more".into()) } else { Ok(time) }
}

/// Permission bits in octal.
pub fn mode(text: &str) -> Result<u32, String> {
    let bits = u32::from_str_radix(text.trim_start_matches("0o"), 8).ok();
    bits.filter(|bits| *bits <= 0o777).ok_or_else(|| "use permission bits in octal, as 0660".into())
}

/// `earliest`, `latest` or a position.
pub fn start(text: &str) -> Result<Start, String> {
    match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => text
            .parse()
            .map(Start::Position)
            .map_err(|_| "use earliest, latest or a position (a number)".into()),
    }
}

/// Messages a second: above zero.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "use a number of messages a second".into())
}

/// For people: `1.5 MiB`.
pub fn human(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = units.get(unit).unwrap_or(&"B");
    if value.fract() == 0.0 { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A lag, with `~` before an estimate.
pub fn lag((messages, estimated): (u64, bool), figure: impl Fn(u64) -> String) -> String {
    format!("{}{}", if estimated { "~" } else { "" }, figure(messages))
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn scale(number: &str, factor: f64) -> Option<f64> {
    let value = number.parse::<f64>().ok()? * factor;
    // Above 2^53 the product would not be exact.
    (value.is_finite() && value <= 9e15).then(|| value.round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("64K", 65536),
            ("64KiB", 65536),
            ("64m", 64 << 20),
            ("64MiB", 64 << 20),
            ("64 MiB", 64 << 20),
            ("1.5G", 3 << 29),
            ("64MB", 64_000_000),
            ("7B", 7),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "1.2.3", "64X", "99999999T", "0x10"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("5s", 5000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0.5", 500),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "5 years", "-1s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn figures_for_people() {
        assert_eq!(human(0), "0 B");
        assert_eq!(human(1 << 20), "1 MiB");
        assert_eq!(human(3 << 19), "1.5 MiB");
        assert_eq!(human(1000), "1000 B");
    }
}
