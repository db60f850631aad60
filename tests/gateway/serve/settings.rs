//! Settings: defaults, file, environment, flags.

use std::process::Command;

use slipring::gateway::config::Settings;

#[test]
fn each_source_is_over_the_one_before() {
    let mut settings = Settings::default();
    settings.file("window = 2\npayload = 10\norigins = ['https://a', 'https://b']").unwrap();
    let variables = [("SLIPRING_PAYLOAD", "20"), ("SLIPRING_DIR", "/x"), ("PATH", "/y")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    settings.environment(variables).unwrap();
    settings.set("head", "30").unwrap();
    settings.set("fragments", "1073741824").unwrap();
    settings.set("insecure", "true").unwrap();
    settings.set("token", "123").unwrap();
    let config = settings.finish().unwrap();
    assert_eq!((config.window, config.payload, config.head), (2, 20, 30));
    assert_eq!(config.fragments, 1 << 30);
    assert_eq!((config.insecure, config.token.as_str()), (true, "123"));
    assert_eq!(config.origins, ["https://a", "https://b"]);
    assert_eq!(config.ack_seconds, 30);
    let mut settings = Settings::default();
    settings.set("origins", "https://a, https://b").unwrap();
    assert_eq!(settings.finish().unwrap().origins, ["https://a", "https://b"]);
}

#[test]
fn nonsense_is_named() {
    let set = |name: &str, value: &str| Settings::default().set(name, value).unwrap_err();
    assert!(set("windows", "1").contains("window"));
    assert!(set("window", "many").contains("number"));
    assert!(set("insecure", "yes").contains("true"));
    for text in [
        "windows = 1",
        "window = 'x'",
        "window = -1",
        "window = 0",
        "fragments = 0",
        "fragments = 1073741825",
        "payload = 1073741825",
    ] {
        let mut settings = Settings::default();
        settings.file(text).unwrap();
        let name = text.split(' ').next().unwrap();
        assert!(settings.finish().err().unwrap().contains(name), "{text}");
    }
    assert!(Settings::default().file("window").is_err());
    let variable = ("SLIPRING_WINDOW".to_owned(), "x".to_owned());
    let error = Settings::default().environment([variable]).unwrap_err();
    assert!(error.contains("SLIPRING_WINDOW"), "{error}");
}

#[test]
fn the_program_says_what_is_wrong_with_them() {
    let dir = super::common::TempDir::new();
    let file = dir.path("gateway.toml");
    std::fs::write(&file, "listen = '127.0.0.1:0'\nwindow = 'x'\n").unwrap();
    for (flags, code, part) in [
        (&["--config", &file][..], 2, "window"),
        (&["--config", "/nowhere/to/be/found"], 3, "/nowhere"),
        (&["--set", "window"], 2, "NAME=VALUE"),
        (&["--listen", "nonsense"], 1, "nonsense"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipring"));
        let out = command.arg("serve").args(flags).output().unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), text.contains(part)), (Some(code), true), "{text}");
    }
}
