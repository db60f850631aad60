//! Random bytes as `fuzz/fuzz_targets/engineio.rs` takes them, without its guidance.

use proptest::prelude::*;

use super::drive::drive;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_session_keeps_its_promises(data in prop::collection::vec(any::<u8>(), 0..200)) {
        drive(&data);
    }

    /// Short acts, so that there are many of them.
    #[test]
    fn a_session_keeps_its_promises_over_many_acts(
        acts in prop::collection::vec((0u8..12, any::<u8>(), prop::option::weighted(0.1, "[0-7]{1,2}")), 0..100),
    ) {
        let act = |(act, which, text): &(u8, u8, Option<String>)| {
            let text = text.clone().unwrap_or_default();
            let takes = matches!(act, 3 | 5 | 6 | 10).then_some(text.len() as u8);
            [vec![*act, *which], takes.into_iter().collect(), text.into_bytes()].concat()
        };
        drive(&acts.iter().flat_map(act).collect::<Vec<u8>>());
    }
}
