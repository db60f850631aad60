//! `slipring peek`.

use crate::failure::{About, Done, EMPTY, Failure};
use crate::message::Form;
use crate::{output, units};
use slipring::{Observer, QueueStats, RecvError, Start};

/// Show the messages that wait, without taking them
///
/// Begins with the oldest message that the slowest group has not acked, or as --group or --from says. Leaves no trace.
#[derive(clap::Args)]
pub struct Peek {
    /// The queue
    name: String,
    /// Stop after so many messages
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<u64>,
    /// What waits for this group
    #[arg(long, conflicts_with = "from")]
    group: Option<String>,
    /// Start at the earliest message still there, or at a message's position
    #[arg(long, value_name = "START", value_parser = units::start)]
    from: Option<Start>,
    #[command(flatten)]
    form: Form,
}

pub fn run(args: Peek) -> Done {
    let mut observer = Observer::open(&args.name).about(&args.name)?;
    let (start, group) = match args.from {
        Some(start) => (start, String::new()),
        None => waiting(&observer.stats(), args.group.as_deref(), &args.name)?,
    };
    observer.seek(start).about(&args.name)?;
    // Not beyond what there is now, lest a busy queue keep us here for ever.
    let end = observer.stats().latest;
    let mut out = output::stdout()?;
    let mut buffer = Vec::new();
    let mut shown = 0;
    while shown < args.count.unwrap_or(u64::MAX) {
        match observer.try_recv() {
            Ok(seen) if seen.position >= end => break,
            // Out of turn, after another one that still waits.
            Ok(seen) if observer.is_acked(&group, seen.position) => {}
            Ok(seen) => {
                args.form.observed(&seen, &mut buffer);
                shown += 1;
            }
            Err(RecvError::Lagged { missed }) => lagged(&args.name, missed),
            Err(RecvError::Empty | RecvError::Closed) => break,
            Err(error) => return Err(error).about(&args.name),
        }
        if buffer.len() >= 64 << 10 {
            output::write_counted(&mut out, &buffer).1?;
            buffer.clear();
        }
    }
    output::write_counted(&mut out, &buffer).1?;
    if shown == 0 && args.count != Some(0) {
        let text = format!(
            "{0}: no message waits; `slipring tail {0}` shows those that were acked lately",
            args.name
        );
        return Err(Failure::new(EMPTY, text));
    }
    Ok(())
}

/// Where what waits begins, and for which group.
fn waiting(
    stats: &QueueStats,
    group: Option<&str>,
    queue: &str,
) -> Result<(Start, String), Failure> {
    let mut reliable = stats.groups.iter().filter(|row| row.kind != "lossy");
    let row = match group {
        Some(name) => {
            let row = reliable.find(|row| row.name == name);
            let help = format!("`slipring group ls {queue}` lists those there are");
            let missing = || Failure::new(3, format_args!("{queue}: no group {name:?}; {help}"));
            Some(row.ok_or_else(missing)?)
        }
        None => reliable.min_by_key(|row| row.floor),
    };
    Ok(row.map_or((Start::Earliest, String::new()), |row| {
        (Start::Position(row.floor.max(stats.earliest)), row.name.clone())
    }))
}

/// Says that an observer was too slow.
pub fn lagged(queue: &str, missed: u64) {
    output::say(format_args!("{queue}: {}", RecvError::Lagged { missed }));
}
