//! A work queue with dead letters: two workers share the jobs, one job fails every time and is put aside.

use slipring::{Consumer, Queue};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let queue = Queue::options().capacity(1 << 20).open_or_create("jobs")?;
    // Both belong to the group that came with the queue: each job goes to one of them. Its first member says how it treats failures.
    let join = || {
        let options = queue.consumer_options().group(slipring::DEFAULT_GROUP).max_deliveries(3);
        options.dead_letter("jobs.dead").open()
    };
    let workers = [join()?, join()?];

    queue.producer()?.send_batch(["resize 1", "resize 2", "resize broken", "resize 4"])?;
    let mut done = Vec::new();
    // As long as the group has something un-acked; workers would be processes, and call `recv`.
    while workers[0].lag() > 0 {
        for worker in &workers {
            done.extend(work(worker)?);
        }
    }
    done.sort();
    println!("done: {}", done.join(", "));

    // What was put aside tells where it comes from and why it is there.
    let dead = Queue::open("jobs.dead")?;
    let dead = dead.consumer(slipring::DEFAULT_GROUP)?;
    while let Ok(message) = dead.try_recv() {
        let letter = message.dead_letter().ok_or("not a dead letter")?;
        let job = String::from_utf8_lossy(message.payload());
        println!("dead: {job} (group {}: {})", letter.group, letter.reason);
        message.ack()?;
    }
    Queue::unlink("jobs")?;
    Queue::unlink("jobs.dead")?;
    Ok(())
}

/// Does a job, if there is one: acked when it is done, given back when it failed.
fn work(worker: &Consumer) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let Ok(message) = worker.recv_timeout(Duration::from_millis(10)) else { return Ok(None) };
    let job = String::from_utf8_lossy(message.payload()).into_owned();
    if job.ends_with("broken") {
        message.retry()?;
        return Ok(None);
    }
    message.ack()?;
    Ok(Some(job))
}
