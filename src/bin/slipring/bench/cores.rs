//! Which cores there are for us, and how to stay on one.

use std::fs;
use std::process::{Command, Stdio};

/// The cores that this process may use, one hardware thread of each if that leaves two.
pub fn allowed() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let all = list(line.unwrap_or_default());
    let path = |core| format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let siblings = |core: &usize| list(&fs::read_to_string(path(*core)).unwrap_or_default());
    let first = |core: &usize| {
        siblings(core).iter().find(|sibling| all.contains(sibling)).is_none_or(|it| it == core)
    };
    let whole: Vec<usize> = all.iter().copied().filter(first).collect();
    if whole.len() < 2 { all } else { whole }
}

/// `0-3,8` as the kernel writes it.
fn list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Keeps the calling thread, and those that it starts, on a core. False if the system does not do it.
pub fn pin(core: usize) -> bool {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    let process = format!("{}/task/", std::process::id());
    // /proc may show another namespace, where the number is somebody else's.
    let Some(thread) = link.to_str().and_then(|link| link.strip_prefix(&process)) else {
        return false;
    };
    let mut taskset = Command::new("taskset");
    taskset.args(["-p", "-c", &core.to_string(), thread]);
    let taskset = taskset.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn lists_of_the_kernel() {
        assert_eq!(list("\t0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(list("5\n"), [5]);
        assert!(list("").is_empty());
    }
}
