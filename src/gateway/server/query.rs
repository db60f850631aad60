//! What requests say in their queries.

use std::time::Duration;

use super::problem::Problem;
use crate::Start;
use crate::gateway::http::Request;

/// `from=earliest`, `latest` or a position; `None` if nothing is said.
pub(super) fn start(request: &Request) -> Result<Option<Start>, Problem> {
    request.param("from").map(|from| parse_start(&from)).transpose()
}

pub(super) fn parse_start(text: &str) -> Result<Start, Problem> {
    match text {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        number => number
            .parse()
            .map(Start::Position)
            .map_err(|_| Problem::new(400, "from: use earliest, latest or a position (a number)")),
    }
}

/// `wait=30s`, `500ms` or a number of seconds, at most five minutes.
pub(super) fn wait(request: &Request) -> Result<Duration, Problem> {
    let Some(text) = request.param("wait") else { return Ok(Duration::ZERO) };
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(&text), 1000),
    };
    let time = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let time = time.filter(|time| *time <= 300_000).map(Duration::from_millis);
    time.ok_or_else(|| Problem::new(400, "wait: use a time as 30s or 500ms, 300s at most"))
}

/// A parameter that may be left out or empty.
pub(super) fn text(request: &Request, name: &str) -> Option<String> {
    request.param(name).filter(|text| !text.is_empty()).map(|text| text.into_owned())
}
