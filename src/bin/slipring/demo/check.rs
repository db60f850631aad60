//! Does what came out equal what went in?
//!
//! A worker notes a message before its ack (`W`) and after it (`A`), each with one write. If it is killed between the ack and the
//! second note, the message is acked without a note; then it is the last of its log, and nobody gets it again. If it is killed
//! before the ack, the message comes to another worker, with a higher delivery count. So what was acked is known exactly, and a
//! message that was acked and came again is seen.

use super::Place;
use crate::failure::Failure;
use slipring::GroupStats;
use std::collections::HashMap;

/// What the comparison brought.
pub struct Outcome {
    pub sent: usize,
    pub delivered_workers: usize,
    pub delivered_archive: usize,
    pub redelivered: usize,
    /// Empty if all is well.
    pub faults: Vec<String>,
}

/// A line of a log.
pub struct Record<'l> {
    acked: bool,
    position: u64,
    deliveries: u32,
    event: &'l [u8],
    payload: &'l [u8],
}

impl Record<'_> {
    /// The number of the text's line, from zero.
    pub fn line(&self) -> Option<usize> {
        let event = std::str::from_utf8(self.event).ok()?;
        event.split_once(':')?.1.parse().ok()
    }
}

/// The records of a log; what a kill cut off at its end is left out.
pub fn records(log: &[u8]) -> Vec<Record<'_>> {
    let whole = log.iter().rposition(|byte| *byte == b'\n').and_then(|end| log.get(..end));
    whole.into_iter().flat_map(|log| log.split(|byte| *byte == b'\n')).filter_map(parse).collect()
}

fn parse(line: &[u8]) -> Option<Record<'_>> {
    let mut words = line.splitn(5, |byte| *byte == b' ');
    let tag = words.next()?;
    let mut number = || std::str::from_utf8(words.next()?).ok()?.parse::<u64>().ok();
    let (position, deliveries) = (number()?, number()? as u32);
    let (event, payload) = (words.next().unwrap_or(b""), words.next().unwrap_or(b""));
    Some(Record { acked: tag == b"A", position, deliveries, event, payload })
}

/// Compares both groups' output with the input.
pub fn compare(
    place: &Place,
    lines: &[&[u8]],
    groups: Vec<GroupStats>,
) -> Result<Outcome, Failure> {
    let mut faults = Vec::new();
    let archive = place.read("archive.0")?;
    let archive = records(&archive);
    check_order(&archive, &mut faults);
    let out: Vec<(usize, &[u8])> = archive
        .iter()
        .map(|record| (record.line().unwrap_or(usize::MAX), record.payload))
        .collect();
    check_bytes("the fan-out output", out, lines, &mut faults);

    let logs = [place.read("worker.0")?, place.read("worker.1")?, place.read("worker.2")?];
    let logs: Vec<Vec<Record<'_>>> = logs.iter().map(|log| records(log)).collect();
    let acked = acked(&logs, &mut faults);
    check_bytes("what the workers acked", acked, lines, &mut faults);
    for group in groups.iter().filter(|group| group.lag > 0) {
        faults.push(format!("group {}: {} messages are left", group.name, group.lag));
    }
    let deliveries = || logs.iter().flatten().filter(|record| !record.acked);
    Ok(Outcome {
        sent: archive.len(),
        delivered_workers: deliveries().count(),
        delivered_archive: archive.len(),
        redelivered: deliveries().filter(|record| record.deliveries > 1).count(),
        faults,
    })
}

/// In the stream each producer's lines are in its order, and positions grow.
fn check_order(stream: &[Record<'_>], faults: &mut Vec<String>) {
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    let mut position = None;
    for record in stream {
        let producer = record.event.split(|byte| *byte == b':').next().unwrap_or(b"");
        let line = record.line().unwrap_or(usize::MAX);
        let before = last.insert(producer, line);
        if before.is_some_and(|before| before >= line) || position >= Some(record.position) {
            faults.push(format!("line {} came out of order", line.wrapping_add(1)));
            return;
        }
        position = Some(record.position);
    }
}

/// What was acked, each with its line's number; what was acked and came again is a fault.
fn acked<'l>(logs: &[Vec<Record<'l>>], faults: &mut Vec<String>) -> Vec<(usize, &'l [u8])> {
    let mut deliveries: HashMap<u64, Vec<u32>> = HashMap::new();
    let mut acks: HashMap<u64, u32> = HashMap::new();
    for record in logs.iter().flatten() {
        if !record.acked {
            deliveries.entry(record.position).or_default().push(record.deliveries);
        } else if acks.insert(record.position, record.deliveries).is_some() {
            faults.push(format!("position {}: acked twice", record.position));
        }
    }
    let again = |position: u64, ack: u32| {
        deliveries.get(&position).is_some_and(|seen| seen.iter().any(|seen| *seen > ack))
    };
    let mut out = Vec::new();
    for log in logs {
        for (index, record) in log.iter().enumerate().filter(|(_, record)| !record.acked) {
            let noted = acks.get(&record.position) == Some(&record.deliveries);
            let is_again = again(record.position, record.deliveries);
            if noted && is_again {
                faults.push(format!("position {}: acked, and delivered again", record.position));
            }
            // Acked without a note: only as the last thing before a kill.
            if noted || (index + 1 == log.len() && !is_again) {
                out.push((record.line().unwrap_or(usize::MAX), record.payload));
            }
        }
    }
    out
}

/// Brings lines into the order of the input and compares the bytes.
fn check_bytes(
    what: &str,
    mut out: Vec<(usize, &[u8])>,
    lines: &[&[u8]],
    faults: &mut Vec<String>,
) {
    out.sort_by_key(|(line, _)| *line);
    let out: Vec<&[u8]> = out.into_iter().map(|(_, payload)| payload).collect();
    if out.join(&b'\n') == lines.join(&b'\n') {
        return;
    }
    let first = out.iter().zip(lines).position(|(out, line)| out != line);
    faults.push(format!(
        "{what} differs from the input: {} lines of {}, first difference at line {}",
        out.len(),
        lines.len(),
        first.unwrap_or(out.len().min(lines.len())) + 1
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(archive: &str, workers: [&str; 2], lines: &[&[u8]]) -> Vec<String> {
        let mut faults = Vec::new();
        let stream = records(archive.as_bytes());
        check_order(&stream, &mut faults);
        let out = stream.iter().map(|record| (record.line().unwrap(), record.payload)).collect();
        check_bytes("stream", out, lines, &mut faults);
        let logs = workers.map(|log| records(log.as_bytes()));
        let acked = acked(&logs, &mut faults);
        check_bytes("workers", acked, lines, &mut faults);
        faults
    }

    const LINES: [&[u8]; 3] = [b"a", b"", b"c c"];
    const ARCHIVE: &str = "W 0 1 0:0 a\nW 1 1 0:1 \nW 2 1 1:2 c c\n";
    /// The first worker died between an ack and its note; the second got what it had not acked.
    const WORKERS: [&str; 2] = ["W 0 1 0:0 a\nA 0 1\nW 1 1 0:1 \n", "W 2 2 1:2 c c\nA 2 2\n"];

    #[test]
    fn all_is_well() {
        assert!(faults(ARCHIVE, WORKERS, &LINES).is_empty());
        // Cut off by a kill, in the middle of a line.
        let cut = WORKERS[0].to_owned() + "W 2 1 1:2 c";
        assert!(faults(ARCHIVE, [&cut, WORKERS[1]], &LINES).is_empty());
        // Noted, not acked, and delivered again to the other.
        let again = WORKERS[0].to_owned() + "A 1 1\nW 2 1 1:2 c c\n";
        assert!(faults(ARCHIVE, [&again, WORKERS[1]], &LINES).is_empty());
    }

    #[test]
    fn what_differs_is_found() {
        let found = |archive: &str, workers: [&str; 2], word: &str| {
            let faults = faults(archive, workers, &LINES).join("; ");
            assert!(faults.contains(word), "no {word:?} in {faults:?}");
        };
        found("W 0 1 0:0 a\nW 1 1 0:1 \n", WORKERS, "stream differs");
        found("W 0 1 0:0 a\nW 1 1 0:1 \nW 2 1 1:2 c C\n", WORKERS, "at line 3");
        found("W 0 1 0:0 a\nW 2 1 1:2 c c\nW 1 1 0:1 \n", WORKERS, "out of order");
        found("W 0 1 0:1 \nW 1 1 0:0 a\nW 2 1 1:2 c c\n", WORKERS, "out of order");
        let twice = ARCHIVE.to_owned() + "W 3 1 1:2 c c\n";
        found(&twice, WORKERS, "out of order");
        found(ARCHIVE, [WORKERS[0], ""], "workers differs");
        let acked_twice = WORKERS[1].to_owned() + "W 0 2 0:0 a\nA 0 2\n";
        found(ARCHIVE, [WORKERS[0], &acked_twice], "acked twice");
        let after_ack = WORKERS[1].to_owned() + "W 0 2 0:0 a\nW 9 1 0:9 z\nA 9 1\n";
        found(ARCHIVE, [WORKERS[0], &after_ack], "acked, and delivered again");
    }
}
