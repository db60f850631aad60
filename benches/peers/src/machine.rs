//! What ran where: the report's head.

use serde::{Deserialize, Serialize};

use crate::Result;

/// The lock file that this program was built with.
const LOCK: &str = include_str!("../Cargo.lock");

/// The packages whose versions matter.
const PACKAGES: &[&str] = &[
    "crossbeam-channel",
    "crossbeam-queue",
    "disruptor",
    "iceoryx2",
    "kanal",
    "nng",
    "rtrb",
    "rusteron-media-driver",
    "slipring",
    "zmq",
];

/// The machine, and what was built and run on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub command: String,
    /// Name and version.
    pub versions: Vec<(String, String)>,
    /// Samples that were dropped because the host moved the cores meanwhile, and all there were.
    pub dropped: (usize, usize),
}

impl Machine {
    /// The machine that this runs on.
    pub fn this() -> Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find(|line| line.starts_with("model name"));
        let processor = model.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown");
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Ok(Self {
            processor: processor.to_owned(),
            cores: crate::sys::cores().len(),
            kernel: kernel.trim().to_owned(),
            command: format!("peers {}", arguments.join(" ")),
            versions: versions(),
            dropped: (0, 0),
        })
    }
}

fn versions() -> Vec<(String, String)> {
    let mut versions = Vec::new();
    for package in LOCK.split("[[package]]") {
        let value = |key: &str| {
            let line = package.lines().find(|line| line.starts_with(key))?;
            Some(line.split('"').nth(1)?.to_owned())
        };
        if let (Some(name), Some(version)) = (value("name"), value("version"))
            && PACKAGES.contains(&name.as_str())
        {
            versions.push((name, version));
        }
    }
    let (major, minor, patch) = zmq::version();
    versions.push(("libzmq".to_owned(), format!("{major}.{minor}.{patch}")));
    versions
        .extend(crate::contenders::boost_version().map(|version| ("Boost".to_owned(), version)));
    versions
}
