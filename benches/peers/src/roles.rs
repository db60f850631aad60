//! What each participant does. The first one (role 0) begins, ends, and takes the time.

use std::hint::black_box;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::control::Control;
use crate::message::{self, Message, STOP, ends, first, stamp, sum};
use crate::peer::{Pause, Peer, Receiver, Sender, Setup, batch_of};
use crate::rows::spread;
use crate::work::{Kind, Mode, Outcome, Part, Task};
use crate::{Result, sys};

/// How long the receiver of a wake-up is left alone, so that it is asleep in earnest.
const ALONE: Duration = Duration::from_micros(300);

/// Plays a role to its end. The first one comes back when all others have seen the end.
pub fn play<P: Peer<M>, M: Message>(
    peer: &P,
    task: &Task,
    role: usize,
    control: &Control,
) -> Result<Part> {
    let work = &task.work;
    sys::pin(task.cores[usize::from(role >= work.producers)])?;
    let pause = Setup::new(task).pause;
    match (work.kind, role) {
        (Kind::RoundTrip, 0) => ping(peer, task, control, pause),
        (Kind::RoundTrip, _) => echo(peer, control, pause),
        (Kind::Wake, 0) => wake(peer, task, control),
        (Kind::Wake, _) => sleep(peer, control, pause),
        (Kind::Flow, _) if role < work.producers => produce(peer, task, role, control),
        (Kind::Flow, _) => consume(peer, task, control, pause),
    }
}

/// Runs bursts, which grow to a fiftieth of the time, until it is up; one at least.
fn bursts(until: u64, mut burst: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let mut now = sys::now();
    let most = until.saturating_sub(now) / 50;
    let mut length = 4;
    loop {
        burst(length)?;
        let then = std::mem::replace(&mut now, sys::now());
        if now - then < most {
            length *= 2;
        } else if now - then > 4 * most {
            length = (length / 2).max(1);
        }
        if now >= until {
            return Ok(());
        }
    }
}

/// The first half of the time gives the mean of a usual burst, the second one, with a clock read each time, the latencies.
fn ping<P: Peer<M>, M: Message>(
    peer: &P,
    task: &Task,
    control: &Control,
    pause: Pause,
) -> Result<Part> {
    let mut rx = peer.receiver(1, 0)?;
    let mut tx = peer.sender(0)?;
    control.opened();
    let half = Duration::from_millis(task.millis) / 2;
    control.start(1, half)?;
    rx.connect();
    let mut message = M::filled();
    let mut number = 0;
    let mut round = || {
        stamp(message.bytes_mut(), number);
        tx.send(message.bytes());
        let mut back = 0;
        rx.wait(pause, &mut |bytes| {
            black_box(sum(&bytes[..M::SIZE]));
            back = first(bytes);
        });
        if back != number {
            return Err(format!("{number} came back as {back}").into());
        }
        number += 1;
        Ok(())
    };
    (0..100).try_for_each(|_| round())?;
    let (mut start, mut means) = (sys::now(), Vec::new());
    bursts(start + half.as_nanos() as u64, |length| {
        (0..length).try_for_each(|_| round())?;
        let now = sys::now();
        means.push((now - start) as f64 / length as f64);
        start = now;
        Ok(())
    })?;
    let (value, ..) = spread(means).ok_or("no rounds")?;
    let latencies = stamped(sys::now() + half.as_nanos() as u64, round)?;
    stamp(message.bytes_mut(), STOP);
    tx.send(message.bytes());
    control.wait_until_stopped(1);
    Ok(Part { outcome: Outcome { value, latencies }, ..Part::default() })
}

/// Times each round until the time is up.
fn stamped(until: u64, mut round: impl FnMut() -> Result<()>) -> Result<Vec<(u64, u64)>> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3)?;
    let (start, first) = (sys::now(), sys::ticks());
    let mut last = first;
    bursts(until, |length| {
        for _ in 0..length {
            round()?;
            let now = sys::ticks();
            histogram.saturating_record(now - last);
            last = now;
        }
        last = sys::ticks();
        Ok(())
    })?;
    let nanos_per_tick = (sys::now() - start) as f64 / (sys::ticks() - first) as f64;
    Ok(counts(&histogram, nanos_per_tick))
}

fn counts(histogram: &Histogram<u64>, scale: f64) -> Vec<(u64, u64)> {
    histogram
        .iter_recorded()
        .map(|step| {
            ((step.value_iterated_to() as f64 * scale) as u64, step.count_since_last_iteration())
        })
        .collect()
}

fn echo<P: Peer<M>, M: Message>(peer: &P, control: &Control, pause: Pause) -> Result<Part> {
    let mut rx = peer.receiver(0, 0)?;
    let mut tx = peer.sender(1)?;
    control.wait_until_opened(1)?;
    rx.connect();
    control.ready();
    let mut over = false;
    while !over {
        rx.wait(pause, &mut |bytes| {
            over = first(bytes) == STOP;
            if !over {
                tx.send(bytes);
            }
        });
    }
    control.stopped();
    Ok(Part::default())
}

fn wake<P: Peer<M>, M: Message>(peer: &P, task: &Task, control: &Control) -> Result<Part> {
    let mut tx = peer.sender(0)?;
    control.opened();
    let mut message = M::filled();
    let until = control.start(1, Duration::from_millis(task.millis))?;
    let mut next = sys::now();
    while next < until {
        next += ALONE.as_nanos() as u64;
        // Without a system call, so that this core is awake and the latency is the other one's.
        while sys::now() < next {
            std::hint::spin_loop();
        }
        stamp(message.bytes_mut(), sys::now());
        tx.send(message.bytes());
    }
    std::thread::sleep(ALONE);
    stamp(message.bytes_mut(), STOP);
    tx.send(message.bytes());
    control.wait_until_stopped(1);
    Ok(Part::default())
}

fn sleep<P: Peer<M>, M: Message>(peer: &P, control: &Control, pause: Pause) -> Result<Part> {
    let mut rx = peer.receiver(0, 0)?;
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3)?;
    control.wait_until_opened(1)?;
    rx.connect();
    control.ready();
    let mut over = false;
    while !over {
        rx.wait(pause, &mut |bytes| {
            let now = sys::now();
            over = first(bytes) == STOP;
            if !over {
                histogram.saturating_record(now.saturating_sub(first(bytes)));
            }
        });
    }
    control.stopped();
    let value = histogram.value_at_quantile(0.5) as f64;
    let latencies = counts(&histogram, 1.0);
    Ok(Part { outcome: Outcome { value, latencies }, ..Part::default() })
}

/// Sends until the time is up. The first producer then sends the end to each worker, one after another.
fn produce<P: Peer<M>, M: Message>(
    peer: &P,
    task: &Task,
    role: usize,
    control: &Control,
) -> Result<Part> {
    let work = &task.work;
    let mut tx = peer.sender(0)?;
    control.opened();
    let until = if role == 0 {
        control.start(work.roles() - 1, Duration::from_millis(task.millis))?
    } else {
        control.ready();
        control.wait_for_start()
    };
    let start = sys::now();
    let messages = match work.mode {
        Mode::Single => send_single(&mut tx, until)?,
        Mode::Batch => send_batches(&mut tx, until)?,
        Mode::InPlace => send_in_place(&mut tx, until)?,
    };
    control.produced();
    if role == 0 {
        control.wait_until_produced(work.producers);
        let mut message = M::filled();
        stamp(message.bytes_mut(), STOP);
        for worker in 0..work.workers {
            tx.send(message.bytes());
            control.wait_until_stopped(worker + 1);
        }
    }
    let sum = message::expected(messages, M::SIZE, work.mode == Mode::InPlace);
    Ok(Part { messages, sum, at: start, outcome: Outcome::default() })
}

fn send_single<M: Message>(tx: &mut impl Sender<M>, until: u64) -> Result<u64> {
    let mut message = M::filled();
    let mut number = 0;
    bursts(until, |length| {
        for _ in 0..length {
            stamp(message.bytes_mut(), number);
            tx.send(message.bytes());
            number += 1;
        }
        Ok(())
    })?;
    Ok(number)
}

fn send_batches<M: Message>(tx: &mut impl Sender<M>, until: u64) -> Result<u64> {
    let mut messages = vec![M::filled(); batch_of(M::SIZE)];
    let mut number = 0;
    bursts(until, |length| {
        for _ in 0..length {
            for message in &mut messages {
                stamp(message.bytes_mut(), number);
                number += 1;
            }
            tx.send_batch(&messages);
        }
        Ok(())
    })?;
    Ok(number)
}

fn send_in_place<M: Message>(tx: &mut impl Sender<M>, until: u64) -> Result<u64> {
    let mut number = 0;
    bursts(until, |length| {
        for _ in 0..length {
            tx.send_in_place(|bytes| stamp(bytes, number));
            number += 1;
        }
        Ok(())
    })?;
    Ok(number)
}

/// Receives until the end of every group.
fn consume<P: Peer<M>, M: Message>(
    peer: &P,
    task: &Task,
    control: &Control,
    pause: Pause,
) -> Result<Part> {
    let work = &task.work;
    let mut groups =
        (0..work.groups).map(|group| peer.receiver(0, group)).collect::<Result<Vec<_>>>()?;
    control.wait_until_opened(work.producers)?;
    groups.iter_mut().for_each(Receiver::connect);
    control.ready();
    let part = match work.mode {
        Mode::Single => receive::<M, _, false, false>(&mut groups, pause),
        Mode::Batch => receive::<M, _, true, false>(&mut groups, pause),
        Mode::InPlace => receive::<M, _, false, true>(&mut groups, pause),
    };
    control.stopped();
    Ok(part)
}

/// One group is waited for, several are polled in turn.
fn receive<M: Message, R: Receiver, const BATCHES: bool, const ENDS: bool>(
    groups: &mut [R],
    pause: Pause,
) -> Part {
    let mut part = Part::default();
    let alone = groups.len() == 1;
    let mut live = vec![true; groups.len()];
    while live.contains(&true) {
        for (rx, live) in groups.iter_mut().zip(&mut live).filter(|(_, live)| **live) {
            let read = &mut |bytes: &[u8]| {
                if first(bytes) == STOP {
                    *live = false;
                } else {
                    part.messages += 1;
                    let read = if ENDS { ends(bytes) } else { sum(&bytes[..M::SIZE]) };
                    part.sum = part.sum.wrapping_add(read);
                }
            };
            match (alone, BATCHES) {
                (true, false) => rx.wait(pause, read),
                (true, true) => rx.wait_batch(pause, read),
                (false, false) => _ = rx.poll(read),
                (false, true) => _ = rx.poll_batch(read),
            }
        }
    }
    part.at = sys::now();
    part
}
