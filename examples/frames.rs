//! Frames without a copy: the camera writes each picture where the viewer reads it.

use slipring::Queue;

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
/// A header line in front of the pixels.
const HEADER: usize = 64;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frame = HEADER + WIDTH * HEIGHT;
    // Large blocks, since frames are large; room for eight of them, since a message takes at most half.
    let options = Queue::options().capacity(8 * frame as u64).block_size(64 << 10);
    let queue = options.open_or_create("camera")?;
    let mut camera = queue.producer()?;
    let viewer = queue.consumer("default")?;

    for number in 0..3_u8 {
        let mut slot = camera.reserve(frame)?;
        slot[..HEADER].fill(b' ');
        let header = format!("frame {number} {WIDTH}x{HEIGHT}");
        slot[..header.len()].copy_from_slice(header.as_bytes());
        slot[HEADER..].fill(number * 10);
        slot.commit(frame);
    }
    // Begun and given up: nobody sees it.
    drop(camera.reserve(frame)?);

    while let Ok(message) = viewer.try_recv() {
        let (header, pixels) = message.payload().split_at(HEADER);
        let sum: u64 = pixels.iter().map(|pixel| u64::from(*pixel)).sum();
        let header = String::from_utf8_lossy(header);
        println!("{}: mean {}", header.trim_end(), sum / pixels.len() as u64);
        message.ack()?;
    }
    Queue::unlink("camera")?;
    Ok(())
}
