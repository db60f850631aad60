//! What a case does: operations that shrink to fewer, smaller ones. Handles are numbers, taken modulo how many there are.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A queue's options.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub blocks: u64,
    pub block_size: u64,
    /// Of eight parts of the ring: none, one or four.
    pub retain: u64,
    pub base: u64,
    pub topic: bool,
    pub fenced: bool,
}

pub const MAX_GROUPS: usize = 4;
pub const MAX_MEMBERS: usize = 7;

/// Whom a consumer joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Named(usize),
    Anonymous,
    Lossy,
}

pub const GROUPS: [&str; 3] = ["default", "a", "b"];
pub const EVENTS: [&str; 3] = ["", "x.one", "y.two"];
pub const FILTERS: [&str; 2] = ["x*", "?.two"];
/// The dead-letter queue, beside the queue.
pub const DEAD: &str = "dead";

#[derive(Clone, Copy, Debug)]
pub enum From {
    Earliest,
    Latest,
    /// So many blocks after the queue's first.
    Block(u64),
}

/// A message: which event name, and its length, cut to just above the largest that fits.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    pub event: usize,
    pub len: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Join {
    pub who: Who,
    pub from: From,
    pub prefetch: usize,
    pub filter: Option<usize>,
    pub max_deliveries: Option<u32>,
    pub dead_letter: bool,
}

#[derive(Clone, Debug)]
pub enum Op {
    JoinProducer,
    LeaveProducer(usize),
    Join(Join),
    /// `forget`: with messages in hand that are neither acked nor given back, as a killed member leaves.
    Leave {
        consumer: usize,
        forget: bool,
    },
    Send(usize, Draft),
    Batch(usize, Vec<usize>),
    /// Operations between the reservation and its end; `commit`: eighths of the length, `None` aborts.
    Reserve {
        producer: usize,
        draft: Draft,
        commit: Option<usize>,
        inside: Vec<Op>,
    },
    Receive(usize),
    ReceiveBatch(usize, usize),
    ReceiveInto(usize),
    ReceiveEach(usize, usize),
    Ack(usize),
    Retry(usize),
    Reject(usize),
    Drop(usize),
    Observe,
    Watch(usize),
    DropGroup(usize),
    Reopen,
    Recover,
    Close,
    Check,
}

pub fn shape() -> impl Strategy<Value = Shape> {
    let base = prop_oneof![
        4 => Just(0),
        1 => Just((1 << 32) - 20),
        1 => Just((1 << 44) - 7),
        1 => Just((1 << 63) - 20),
        1 => 1u64..200,
    ];
    let retain = prop_oneof![3 => Just(0u64), 1 => Just(1), 1 => Just(4)];
    let topic = prop::bool::weighted(0.25);
    let fenced = prop::bool::weighted(0.25);
    let blocks = prop_oneof![4 => Just(4u32), 2 => Just(5), 1 => Just(6)];
    (blocks, 6u32..8, retain, base, topic, fenced).prop_map(
        |(blocks, block, retain, base, topic, fenced)| Shape {
            blocks: 1 << blocks,
            block_size: 1 << block,
            retain,
            base,
            topic,
            fenced,
        },
    )
}

fn draft() -> impl Strategy<Value = Draft> {
    let len = prop_oneof![4 => 0usize..70, 3 => 0usize..400, 2 => 0usize..4200];
    (0usize..3, len).prop_map(|(event, len)| Draft { event, len })
}

fn join() -> impl Strategy<Value = Op> {
    let who = prop_oneof![
        4 => (0usize..3).prop_map(Who::Named),
        1 => Just(Who::Anonymous),
        1 => Just(Who::Lossy),
    ];
    let from = prop_oneof![
        3 => Just(From::Earliest),
        1 => Just(From::Latest),
        1 => (0u64..60).prop_map(From::Block),
    ];
    let prefetch = prop_oneof![3 => Just(1usize), 1 => 2usize..4];
    let filter = option::weighted(0.3, 0usize..2);
    let limit = option::weighted(0.3, 1u32..4);
    let dead = prop::bool::weighted(0.3);
    (who, from, prefetch, filter, limit, dead).prop_map(
        |(who, from, prefetch, filter, max_deliveries, dead_letter)| {
            let named = matches!(who, Who::Named(_));
            let max_deliveries = max_deliveries.filter(|_| named);
            let dead_letter = dead_letter && named;
            Op::Join(Join { who, from, prefetch, filter, max_deliveries, dead_letter })
        },
    )
}

/// Operations that can come anywhere, also while a claim is unfinished.
fn simple() -> impl Strategy<Value = Op> {
    let handle = 0usize..6;
    let leave = (handle.clone(), prop::bool::ANY);
    prop_oneof![
        3 => Just(Op::JoinProducer),
        1 => handle.clone().prop_map(Op::LeaveProducer),
        5 => join(),
        1 => leave.prop_map(|(consumer, forget)| Op::Leave { consumer, forget }),
        20 => (handle.clone(), draft()).prop_map(|(producer, draft)| Op::Send(producer, draft)),
        2 => (handle.clone(), vec(0usize..300, 0..9)).prop_map(|(tx, lens)| Op::Batch(tx, lens)),
        20 => handle.clone().prop_map(Op::Receive),
        1 => (handle.clone(), 1usize..5).prop_map(|(rx, most)| Op::ReceiveBatch(rx, most)),
        1 => handle.clone().prop_map(Op::ReceiveInto),
        2 => (handle.clone(), 1..6usize).prop_map(|(which, most)| Op::ReceiveEach(which, most)),
        14 => handle.clone().prop_map(Op::Ack),
        3 => handle.clone().prop_map(Op::Retry),
        2 => handle.clone().prop_map(Op::Reject),
        2 => handle.clone().prop_map(Op::Drop),
        1 => Just(Op::Observe),
        2 => handle.clone().prop_map(Op::Watch),
        1 => (0usize..3).prop_map(Op::DropGroup),
        1 => Just(Op::Recover),
        2 => Just(Op::Check),
    ]
}

pub fn op() -> impl Strategy<Value = Op> {
    let reserve = (0usize..6, draft(), option::weighted(0.7, 0usize..9), vec(simple(), 0..5));
    let reserve = reserve.prop_map(|(producer, draft, commit, inside)| Op::Reserve {
        producer,
        draft,
        commit,
        inside,
    });
    prop_oneof![
        60 => simple(),
        6 => reserve,
        1 => Just(Op::Reopen),
        1 => prop_oneof![4 => Just(Op::Check), 1 => Just(Op::Close)],
    ]
}

impl Join {
    pub fn plain(who: Who) -> Self {
        let (filter, max_deliveries) = (None, None);
        let dead_letter = false;
        Self { who, from: From::Earliest, prefetch: 1, filter, max_deliveries, dead_letter }
    }
}
