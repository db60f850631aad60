//! What the system gives.

use super::{Doctor, Problem};
use crate::place;
use crate::units::human;
use serde_json::{Value, json};
use slipring::{LAYOUT_VERSION, Queue};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Default)]
pub struct System {
    kernel: String,
    directory: PathBuf,
    /// Its permission bits, if it is there.
    mode: Option<u32>,
    /// Of the directory's file system: kind, bytes in all, bytes left.
    space: Option<(String, u64, u64)>,
    membarrier: bool,
    // Limits; `None` is unlimited.
    open_files: Option<u64>,
    locked_memory: Option<u64>,
    file_size: Option<u64>,
    address_space: Option<u64>,
}

/// What the file of a queue of the default capacity takes, with a few groups.
const USUAL_QUEUE: u64 = 96 << 20;

/// Where mappings of several machines are not one memory.
const NETWORKS: [&str; 9] =
    ["nfs", "nfs4", "cifs", "smb3", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"];

impl System {
    pub fn look(args: &Doctor) -> Self {
        let directory = place::directory(args.name.as_deref());
        // A queue that nobody else sees shows which barrier new queues get.
        let probe = Queue::options().capacity(0).max_groups(1).max_members(1).topic(true);
        let probe = probe.create_memfd("slipring-doctor");
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self {
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".into(), |text| text.trim().to_owned()),
            mode: directory.metadata().ok().filter(|meta| meta.is_dir()).map(|meta| meta.mode()),
            space: space(&directory),
            membarrier: probe.is_ok_and(|queue| !queue.stats().fenced),
            open_files: soft_limit(&limits, "Max open files"),
            locked_memory: soft_limit(&limits, "Max locked memory"),
            file_size: soft_limit(&limits, "Max file size"),
            address_space: soft_limit(&limits, "Max address space"),
            directory,
        }
    }

    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some((_, _, left)) = self.space.as_ref().filter(|(_, all, left)| left * 10 < *all) {
            problems.push(Problem::new(
                format!("{}: only {} left", self.directory.display(), human(*left)),
                "slipring ls, then slipring rm those that nobody needs",
            ));
        }
        if self.open_files.is_some_and(|limit| limit < 256) {
            problems.push(Problem::new(
                "few open files are allowed, and each producer or consumer takes one or two",
                "ulimit -n 1024",
            ));
        }
        for (limit, what, flag) in [
            (self.file_size, "a file may have at most", "f"),
            (self.address_space, "a process may map at most", "v"),
        ] {
            if let Some(limit) = limit.filter(|limit| *limit < USUAL_QUEUE) {
                problems.push(Problem::new(
                    format!(
                        "{what} {}, and a queue of the usual capacity takes more",
                        human(limit)
                    ),
                    format!("ulimit -{flag} unlimited"),
                ));
            }
        }
        problems.extend(self.directory_problems());
        problems
    }

    fn directory_problems(&self) -> Vec<Problem> {
        let (mut problems, directory) = (Vec::new(), self.directory.display());
        if self.mode.is_some_and(|mode| mode & 0o1002 == 0o002) {
            problems.push(Problem::new(
                format!("{directory}: anybody may remove what others have in it"),
                format!("chmod +t {directory}"),
            ));
        }
        if let Some((kind, ..)) = &self.space
            && NETWORKS.contains(&kind.as_str())
        {
            problems.push(Problem::new(
                format!("{directory}: it is on a network ({kind}), where queues do not work"),
                "export SLIPRING_DIR=/dev/shm/slipring",
            ));
        }
        problems
    }

    pub fn text(&self) -> String {
        let limit =
            |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
        let bytes = |limit: Option<u64>| limit.map_or("unlimited".into(), human);
        let there = match self.mode {
            Some(mode) => format!(", mode {:04o}", mode & 0o7777),
            None => " (not made yet)".into(),
        };
        let space = match &self.space {
            Some((kind, all, left)) => format!("{kind}, {} left of {}", human(*left), human(*all)),
            None => "unknown".into(),
        };
        let barrier = if self.membarrier { "available" } else { "refused: queues use fences" };
        [
            ("slipring", format!("{}, layout version {LAYOUT_VERSION}", env!("CARGO_PKG_VERSION"))),
            ("kernel", self.kernel.clone()),
            ("directory", format!("{}{there}", self.directory.display())),
            ("file system", space),
            ("membarrier", barrier.into()),
            ("open files", limit(self.open_files)),
            ("file size", bytes(self.file_size)),
            ("address space", bytes(self.address_space)),
            ("locked memory", bytes(self.locked_memory)),
        ]
        .iter()
        .map(|(key, value)| format!("{key:<14} {value}\n"))
        .collect()
    }

    pub fn json(&self) -> Value {
        let space = self.space.as_ref();
        json!({
            "version": env!("CARGO_PKG_VERSION"), "layout_version": LAYOUT_VERSION,
            "kernel": self.kernel,
            "directory": self.directory.display().to_string(), "exists": self.mode.is_some(),
            "mode": self.mode.map(|mode| format!("{:04o}", mode & 0o7777)),
            "file_system": space.map(|(kind, all, left)| {
                json!({"type": kind, "size": all, "available": left})
            }),
            "membarrier": self.membarrier, "open_files": self.open_files,
            "file_size": self.file_size, "address_space": self.address_space,
            "locked_memory": self.locked_memory,
        })
    }
}

/// Asks `df` about the file system of a directory, or of the nearest one above that exists.
fn space(directory: &Path) -> Option<(String, u64, u64)> {
    let there = directory.ancestors().find(|dir| dir.is_dir())?;
    let mut df = Command::new("df");
    df.args(["--block-size=1", "--output=fstype,size,avail", "--"]).arg(there);
    let output = df.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.lines().nth(1)?.split_whitespace();
    Some((words.next()?.into(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// `None` means unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line.get(name.len()..)?.split_whitespace().next()?.parse().ok()
}
