//! What the queue says of itself, against the model.

use proptest::prelude::*;
use slipring::JoinError;

use super::both::{Both, Check, name_of};
use super::ops::{GROUPS, Who};

impl Both<'_> {
    pub fn drop_group(&mut self, name: usize) -> Check {
        let dropped = self.queue.drop_group(GROUPS[name]);
        let text = name_of(&dropped);
        match (self.model.named(name), dropped) {
            (None, Err(JoinError::NotFound(_))) => {}
            (Some(group), Err(JoinError::Incompatible(_))) => {
                prop_assert!(self.model.members_of(group) > 0);
            }
            (Some(group), Ok(())) => {
                prop_assert_eq!(self.model.members_of(group), 0);
                self.model.groups.remove(&group);
                self.note("group dropped");
            }
            _ => prop_assert!(false, "{}", text),
        }
        Ok(())
    }

    pub fn check(&mut self) -> Check {
        let (stats, model) = (self.queue.stats(), &self.model);
        prop_assert_eq!(stats.closed, model.closed);
        prop_assert_eq!((stats.sent, stats.received), (model.sent, model.received));
        prop_assert_eq!((stats.dead_lettered, stats.dropped), (model.dead_lettered, model.dropped));
        prop_assert_eq!(stats.earliest, model.ring.gate);
        prop_assert_eq!(stats.members.len(), model.producers + model.consumers.len());
        prop_assert!(stats.members.iter().all(|member| member.alive));
        // While a claim is unfinished, where the end is depends on whether its owner is alone.
        if !model.ring.has_open() && !model.closed {
            prop_assert_eq!(stats.latest, model.ring.tail);
        }
        let kind = |who: Who| match who {
            Who::Named(_) => "named",
            Who::Anonymous => "anonymous",
            Who::Lossy => "lossy",
        };
        let mut said: Vec<_> = stats.groups.iter().collect();
        let mut known: Vec<_> = model.groups.iter().collect();
        prop_assert_eq!(said.len(), known.len());
        // Groups without a name are told apart by nothing but their figures.
        said.retain(|group| group.kind == "named");
        known.retain(|(_, group)| kind(group.who) == "named");
        said.sort_by_key(|group| &group.name);
        known.sort_by_key(|(_, group)| group.name());
        for (said, (id, group)) in said.iter().zip(known) {
            prop_assert_eq!((&said.name[..], said.kind), (group.name(), kind(group.who)));
            prop_assert_eq!(said.members as usize, model.members_of(*id));
            let counters = (said.redelivered, said.dead_lettered, said.dropped);
            prop_assert_eq!(counters, (group.redelivered, group.dead_lettered, group.dropped));
            let [least, most] = group.lag(&model.ring);
            prop_assert!((least..=most).contains(&said.lag), "{:?}: {}..{}", said, least, most);
            let floor = group.floor(&model.ring, false);
            // A sole producer that finds the queue closed leaves padding behind its end.
            let padded = model.closed && floor == model.ring.tail;
            let range = model.ring.gate..=if padded { u64::MAX } else { floor };
            prop_assert!(range.contains(&said.floor), "{:?}: {:?}", said, range);
            if group.fates.values().any(|(fate, _)| *fate == super::model::Fate::Passed) {
                self.note("passed over");
            }
        }
        self.check_lags()
    }

    /// What each consumer says it has before it.
    fn check_lags(&self) -> Check {
        let ring = &self.model.ring;
        for (consumer, (_, handle)) in self.model.consumers.iter().zip(&self.consumers) {
            let group = &self.model.groups[&consumer.group];
            let lag = handle.lag();
            if group.who != Who::Lossy {
                let [least, most] = group.lag(ring);
                prop_assert!((least..=most).contains(&lag), "{}: {}..{}", lag, least, most);
            } else if consumer.cursor >= ring.gate {
                prop_assert_eq!(lag, ring.messages(consumer.cursor).count() as u64);
            }
        }
        Ok(())
    }
}
