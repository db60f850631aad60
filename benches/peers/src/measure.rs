//! Runs everything, interleaved: in each repeat every contender does each piece of work once, in rotating order. Before and after
//! each piece a bare cache line is bounced, as the host moves the two cores between places near each other and far from each other:
//! what was measured while they were moved is dropped, and near and far are told apart.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::cell::{finish, start};
use crate::contenders::{self, ALL, Contender};
use crate::machine::Machine;
use crate::message::SIZES;
use crate::report::bytes;
use crate::rows::{Line, NotRun, Percentiles, Place, Row, spread};
use crate::work::{Mode, Outcome, Part, Task, Work};
use crate::{Result, sys};

/// A cache line there and back, in nanoseconds: below this the cores share a cache.
const NEAR: f64 = 200.0;
/// Probes that differ more than by this factor: the cores were moved.
const MOVED: f64 = 1.3;
/// Milliseconds for a probe.
const PROBE: u64 = 6;

/// How much to measure.
pub struct Plan {
    pub repeats: usize,
    /// For each piece of work.
    pub millis: u64,
    /// Only contenders whose id contains this, besides slipring.
    pub only: Option<String>,
}

/// What each contender is to do.
struct Piece {
    work: Work,
    size: usize,
    contenders: Vec<&'static Contender>,
    samples: Vec<Sample>,
    failed: Vec<(usize, String)>,
}

struct Sample {
    /// Its place in the piece's contenders.
    contender: usize,
    outcome: Outcome,
    /// A bare cache line's round trip before and after.
    line: (f64, f64),
}

impl Sample {
    fn place(&self) -> Option<Place> {
        let (before, after) = self.line;
        let moved = before.max(after) > MOVED * before.min(after);
        let near = (before + after) / 2.0 < NEAR;
        (!moved).then_some(if near { Place::Near } else { Place::Far })
    }
}

/// All works, sizes and contenders.
fn pieces(plan: &Plan) -> Vec<Piece> {
    let mut works: Vec<(Work, usize)> = Vec::new();
    let sized = |work: Work| SIZES.into_iter().map(move |size| (work, size));
    works.extend(sized(Work::ROUND_TRIP));
    works.extend(sized(Work::one_way(Mode::Single)));
    works.extend(sized(Work::one_way(Mode::Batch)).filter(|&(_, size)| size <= 1024));
    works.push((Work::one_way(Mode::InPlace), 65536));
    let pools = [(2, 1), (4, 1), (1, 2), (1, 4), (2, 2)];
    works.extend(pools.map(|(from, to)| (Work::pool(Mode::Single, from, to), 64)));
    works.push((Work::pool(Mode::Batch, 2, 2), 64));
    for mode in [Mode::Single, Mode::Batch] {
        works.extend([2, 3, 4, 8].map(|groups| (Work::fan_out(mode, groups), 64)));
    }
    works.push((Work::WAKE, 8));
    let piece = |(work, size)| {
        let contenders = ALL.iter().filter(|one: &&Contender| {
            let wanted = plan.only.as_ref().is_none_or(|only| one.id().contains(only));
            one.takes_part_in(&work, size) && (wanted || one.name == "slipring")
        });
        let contenders = contenders.collect();
        Piece { work, size, contenders, samples: Vec::new(), failed: Vec::new() }
    };
    works.into_iter().map(piece).collect()
}

/// Runs the plan, and says what has come of it.
pub fn run(plan: &Plan) -> Result<Vec<Line>> {
    let bench = Bench::new()?;
    let mut pieces = pieces(plan);
    for repeat in 0..plan.repeats {
        for (number, piece) in pieces.iter_mut().enumerate() {
            if std::io::stderr().is_terminal() {
                let (name, size) = (piece.work.name(), bytes(piece.size));
                eprint!("\r\x1b[Krepeat {} of {}: {name}, {size}", repeat + 1, plan.repeats);
            }
            bench.piece(piece, repeat + number, plan.millis)?;
        }
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let mut machine = Machine::this()?;
    let all = pieces.iter().flat_map(|piece| &piece.samples);
    machine.dropped = (all.clone().filter(|one| one.place().is_none()).count(), all.count());
    let mut lines = vec![Line::Machine(machine)];
    for piece in &pieces {
        lines.extend(summary(piece)?);
    }
    Ok(lines)
}

/// What the runs of this program need: two cores, and a directory in shared memory, removed at the end.
pub struct Bench {
    cores: [usize; 2],
    dir: PathBuf,
    name: String,
}

/// What is ours in `/dev/shm` begins like this.
const PREFIX: &str = "slipring-peers-";
const SHARED_MEMORY: &str = "/dev/shm";

impl Bench {
    pub fn new() -> Result<Self> {
        let cores: [usize; 2] = sys::cores().first_chunk().copied().ok_or(
            "two cores are needed, one for each side, and this process may use only one: on a single core the figures would be \
             the scheduler's (see `taskset` and the container's limits)",
        )?;
        remove_leftovers();
        let name = format!("{PREFIX}{}", std::process::id());
        let dir = Path::new(SHARED_MEMORY).join(&name);
        std::fs::create_dir(&dir)?;
        Ok(Self { cores, dir, name })
    }

    /// Every contender once, beginning with another one each time.
    fn piece(&self, piece: &mut Piece, turn: usize, millis: u64) -> Result<()> {
        let count = piece.contenders.len();
        let mut before = self.probe()?;
        for contender in (0..count).map(|number| (number + turn) % count) {
            if piece.failed.iter().any(|(failed, _)| *failed == contender) {
                continue;
            }
            let id = piece.contenders[contender].id();
            let done = match piece.contenders[contender].missing() {
                Some(why) => Err(why.into()),
                None => self.twice(&id, piece.work, piece.size, millis),
            };
            match done {
                Ok(outcome) => {
                    let after = self.probe()?;
                    piece.samples.push(Sample { contender, outcome, line: (before, after) });
                    before = after;
                }
                Err(why) if sys::interrupted() => return Err(why),
                Err(why) => piece.failed.push((contender, why.to_string())),
            }
        }
        Ok(())
    }

    /// A piece of work, and again if that fails: a machine under load may starve somebody.
    fn twice(&self, contender: &str, work: Work, size: usize, millis: u64) -> Result<Outcome> {
        let once = || self.cell(contender, work, size, millis);
        once().or_else(|why| {
            if sys::interrupted() {
                return Err(why);
            }
            eprintln!("{contender}, {}, {}: {why}; once more", work.name(), bytes(size));
            once()
        })
    }

    /// A bare cache line there and back.
    fn probe(&self) -> Result<f64> {
        Ok(self.twice("cache line", Work::ROUND_TRIP, 8, PROBE)?.value)
    }

    /// A piece of work, with a directory that is there until `remove`.
    pub fn task(&self, contender: &str, work: Work, size: usize, millis: u64) -> Result<Task> {
        let dir = self.dir.join("cell");
        std::fs::create_dir(&dir)?;
        Ok(Task {
            contender: contender.to_owned(),
            work,
            size,
            millis,
            dir,
            name: self.name.clone(),
            cores: self.cores,
            parent: std::process::id(),
        })
    }

    pub fn remove(&self, task: &Task) {
        remove(&self.name, &task.dir);
    }

    /// One piece of work in processes of its own.
    fn cell(&self, contender: &str, work: Work, size: usize, millis: u64) -> Result<Outcome> {
        let task = self.task(contender, work, size, millis)?;
        let done = start(&["cell"], &task).and_then(|child| {
            sys::stop_on_interrupt(child.id());
            let done = finish::<Part>(child);
            sys::stop_on_interrupt(0);
            done
        });
        self.remove(&task);
        if sys::interrupted() {
            return Err("interrupted".into());
        }
        Ok(done?.outcome)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        remove(&self.name, &self.dir);
    }
}

/// Removes a directory, and what a run of that name may have left outside of it.
fn remove(name: &str, dir: &Path) {
    let _ = std::fs::remove_dir_all(dir);
    contenders::remove_message_queues(name);
    for entry in std::fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten() {
        let rest = entry.file_name();
        let rest = rest.to_string_lossy();
        // The name itself is the directory; a longer number is another process's.
        let ours = rest.strip_prefix(name).and_then(|rest| rest.chars().next());
        if ours.is_some_and(|next| !next.is_ascii_digit()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes what runs that were killed have left.
fn remove_leftovers() {
    for entry in std::fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|process| process.parse().ok());
        if process.is_some_and(sys::is_gone) {
            remove(&name, &entry.path());
        }
    }
}

/// The rows of a piece of work.
fn summary(piece: &Piece) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let (work, size) = (piece.work, piece.size);
    for (number, contender) in piece.contenders.iter().enumerate() {
        let samples: Vec<&Sample> =
            piece.samples.iter().filter(|sample| sample.contender == number).collect();
        for place in [Place::Near, Place::Far] {
            let here = samples.iter().filter(|sample| sample.place() == Some(place));
            lines.extend(row(piece, contender, place, here.copied().collect())?);
        }
        let failed = piece.failed.iter().find(|(failed, _)| *failed == number);
        let why = match failed {
            Some((_, why)) => why.clone(),
            None if samples.iter().all(|sample| sample.place().is_none()) => {
                format!("the cores were moved in each of {} repeats", samples.len())
            }
            None => continue,
        };
        let contender = contender.id();
        lines.push(Line::NotRun(NotRun { work, name: work.name(), size, contender, why }));
    }
    Ok(lines)
}

fn row(
    piece: &Piece,
    contender: &Contender,
    place: Place,
    samples: Vec<&Sample>,
) -> Result<Option<Line>> {
    let latencies = samples.iter().flat_map(|sample| &sample.outcome.latencies);
    let latency_ns = Percentiles::of(latencies)?;
    let lines = samples.iter().map(|sample| (sample.line.0 + sample.line.1) / 2.0).collect();
    let values = samples.iter().map(|sample| sample.outcome.value).collect();
    let (Some((median, min, max)), Some((line_ns, ..))) = (spread(values), spread(lines)) else {
        return Ok(None);
    };
    let work = piece.work;
    Ok(Some(Line::Result(Box::new(Row {
        work,
        name: work.name(),
        size: piece.size,
        contender: contender.id(),
        unit: work.unit().to_owned(),
        place,
        repeats: samples.len(),
        median,
        min,
        max,
        line_ns,
        latency_ns,
    }))))
}
