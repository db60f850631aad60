//! `slipring create`.

use crate::failure::Done;
use crate::{place, units};
use slipring::Queue;

/// Make a queue
///
/// All its memory is reserved at once, so that a full file system is an error now and not a crash later.
#[derive(clap::Args)]
pub struct Create {
    /// Name, or a path with a slash
    name: String,
    /// Bytes of payload that the ring holds; rounded up to a power of two of blocks
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = units::size)]
    capacity: u64,
    /// Bytes of a block, the unit of space: a power of two from 64 to 1M
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = units::size)]
    block: u64,
    /// Bytes of history kept behind the slowest reader
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = units::size)]
    retain: u64,
    /// A pure topic: no default group, so messages nobody asked for are overwritten
    #[arg(long)]
    topic: bool,
    /// The file's permission bits
    #[arg(long, value_name = "OCTAL", default_value = "0600", value_parser = units::mode)]
    mode: u32,
    /// Groups that there can be at once
    #[arg(long, value_name = "COUNT")]
    max_groups: Option<u32>,
    /// Producers and consumers that there can be at once
    #[arg(long, value_name = "COUNT")]
    max_members: Option<u32>,
    /// Real fences instead of membarrier (chosen by itself where membarrier is refused)
    #[arg(long)]
    fenced: bool,
}

pub fn run(args: Create) -> Done {
    let mut options = Queue::options()
        .capacity(args.capacity)
        .block_size(u32::try_from(args.block).unwrap_or(u32::MAX))
        .retain(args.retain)
        .topic(args.topic)
        .mode(args.mode)
        .fenced(args.fenced);
    if let Some(count) = args.max_groups {
        options = options.max_groups(count);
    }
    if let Some(count) = args.max_members {
        options = options.max_members(count);
    }
    place::create(&options, &args.name)
}
