//! Random lines as `fuzz/fuzz_targets/socketio.rs` takes them, without its guidance.

use proptest::prelude::*;

use super::drive::drive;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_connection_keeps_its_promises(
        lines in prop::collection::vec(
            prop_oneof![
                "[AREXKTB]{1,30}",
                r#"[0-6]([0-3]-)?(/[abc],)?[0-6]?(\[("x"|1)(,\{\})?\])?"#,
                r#"5[1-3]-(/[ab],)?[0-6]?\["x"(,\{"_placeholder":true,"num":[0-3]\})?\]"#,
                r#"0(/[ab],)?\{"pid":"A"\}"#,
                r#"3(/[ab],)?[0-6]\[\]"#,
                ".{0,10}",
            ],
            0..30,
        ),
    ) {
        drive(lines.join("\n").as_bytes());
    }
}
