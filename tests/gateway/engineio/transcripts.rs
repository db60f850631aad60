//! What comes of what, line by line: see `script.rs`. The same lines are played on the reference server by `reference.rs`.

use super::script::check;

macro_rules! transcripts {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        /// All, by name.
        pub const TRANSCRIPTS: &[(&str, &str)] = &[$((stringify!($name), $text)),*];
        $($(#[$doc])* #[test] fn $name() { check($text); })*
    };
}

transcripts! {
    polling_both_ways = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        post a 4hello => a 200 ok ; > hello
        post b 4one|4two|bAQIDBA==|4 => b 200 ok ; > one ; > two ; > #01020304 ; >
        get c
        send hi => c 200 4hi
        send one
        send-bytes ABC
        send two
        get d => d 200 4one|bQUJD|4two
        get e
    "#;
    websocket_both_ways = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        tell w 4hello => > hello
        bytes w ABC => > #414243
        send hi => w< 4hi
        send-bytes ABC => w< #414243
    "#;
    second_get = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        get b => a 200 1 ; b 400 ; over
        get c => c 400 {"code":1,"message":"Session ID unknown"}
    "#;
    parked_get_is_lost = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        drop a => over
        get b => b 400 {"code":1,"message":"Session ID unknown"}
    "#;
    client_closes_by_post = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        post b 4before|1|4after => a 200 6 ; b 200 ok ; > before ; over
        get c => c 400 {"code":1,"message":"Session ID unknown"}
    "#;
    client_closes_by_websocket = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        tell w 1 =! w closed ; over
    "#;
    websocket_is_lost = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        drop w => w closed ; over
    "#;
    no_packet_by_post = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        post b 4fine|abc|4never =! a 200 1 ; b 400 ; > fine ; over
        get c => c 400 {"code":1,"message":"Session ID unknown"}
    "#;
    empty_post = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        post a =! a 400 ; over
        get b => b 400 {"code":1,"message":"Session ID unknown"}
    "#;
    no_packet_by_websocket = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        tell w abc => w closed ; over
    "#;
    type_without_meaning = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        tell w 0
        tell w 5
        tell w 6noop
        tell w 4 => >
        tell w 7 => w closed ; over
    "#;
    binary_post = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        post b octets 4x => a 200 1 ; b 400 ; over
    "#;
    ping_by_websocket = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        tell w 3
        tell w 2 => w closed ; over
    "#;
    ping_by_post = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        post b 2probe =! a 200 1 ; b 400 ; over
    "#;
    upgrade = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        post a 4still => a 200 ok ; > still
        get b
        tell w 2probe => w< 3probe
        wait 150 => b 200 6
        send waits
        post c 4polling => c 200 ok ; > polling
        tell w 5 => w< 4waits
        send more => w< 4more
        tell w 4hello => > hello
        get d => d 400 {"code":3,"message":"Bad request"}
        post e 4x => e 400 {"code":3,"message":"Bad request"}
        ws v => v closed
        tell w 4unharmed => > unharmed
        tell w 2probe => w closed ; over
    "#;
    upgrade_in_the_middle_of_a_get = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        get a
        tell w 5 =! a 200 6
        tell w 4hello => > hello
    "#;
    message_goes_out_by_polling_until_the_upgrade = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        send one
        get a => a 200 4one
        get b
        send two => b 200 4two
        get c
        wait 150 => c 200 6
        get d
        wait 150 => d 200 6
        tell w 5
        send three => w< 4three
    "#;
    upgrade_without_a_probe = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 5
        send one => w< 4one
    "#;
    a_message_is_no_probe = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 4hello => w closed
        ws v
        tell v 2other => v closed
        ws u
        bytes u 2probe => u closed
        ws t
        tell t nothing => t closed
        get a
        send hi => a 200 4hi
        ws s
        tell s 2probe => s< 3probe
        tell s 3probe => s closed
        get b
        send still => b 200 4still
    "#;
    only_one_probes = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        ws v => v closed
        tell w 2probe => w< 3probe
        ws u => u closed
        tell w 5
        send hi => w< 4hi
    "#;
    the_probe_is_lost = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        drop w =! 
        get a
        wait 150
        send hi => a 200 4hi
        ws v
        tell v 2probe => v< 3probe
    "#;
    the_upgrade_takes_too_long = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        wait 450 => w closed
        get a
        wait 150
        send hi => a 200 4hi
    "#;
    the_session_ends_while_a_websocket_probes = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        post a 1 => a 200 ok ; w closed ; over
    "#;
    heartbeat_by_polling = r#"
        ping 300 200
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}
        get a
        wait 350 => a 200 2
        post b 3 => b 200 ok
        get c
        wait 350 => c 200 2
        post d 3 => d 200 ok
        wait 600 => over
        get e => e 400 {"code":1,"message":"Session ID unknown"}
    "#;
    heartbeat_by_websocket = r#"
        ping 300 200
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}
        wait 350 => w< 2
        tell w 3
        wait 250
        wait 100 => w< 2
        wait 250 => w closed ; over
    "#;
    a_pong_nobody_asked_for_counts = r#"
        ping 300 200
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}
        wait 200
        tell w 3
        wait 200
        wait 150 => w< 2
        tell w 3
    "#;
    a_parked_get_is_told_of_a_ping_timeout = r#"
        ping 300 200
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}
        get a
        wait 350 => a 200 2
        get b
        wait 250 => b 200 1 ; over
    "#;
    heartbeat_over_the_upgrade = r#"
        ping 300 1000
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":300,"pingTimeout":1000,"maxPayload":1000}
        ws w
        wait 350
        tell w 2probe => w< 3probe
        get a => a 200 2
        tell w 5
        tell w 3
        wait 350 => w< 2
    "#;
    server_closes_a_parked_get = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        get a
        close => a 200 1 ; over
        get b => b 400 {"code":1,"message":"Session ID unknown"}
    "#;
    server_closes_before_the_get = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        close
        get a =! a 200 1 ; over
        get b => b 400 {"code":1,"message":"Session ID unknown"}
    "#;
    server_closes_with_messages_waiting = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        send one
        send two
        close
        post a 4ignored => a 200 ok
        get b =! b 200 4one|4two|1 ; over
    "#;
    server_closes_a_websocket = r#"
        connect w => w< 0{"sid":"SID","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        send last => w< 4last
        close => w closed ; over
    "#;
    server_closes_while_a_websocket_probes = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        ws w
        tell w 2probe => w< 3probe
        send last
        close
        tell w 5 => w< 4last ; w closed ; over
    "#;
    client_closes_while_the_server_closes = r#"
        open p => p 200 0{"sid":"SID","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}
        send never
        close
        post a 1 => a 200 ok ; over
    "#;
}
