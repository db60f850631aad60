//! `make install` as a packager and a user of the package meet it: found by pkg-config and CMake outside the source tree, moved by DESTDIR and
//! LIBDIR, and gone after `make uninstall`. The programs are those of docs/c.md.

use super::prefix::{Prefix, STRICT, files, make, outcome, root, run};
use std::path::Path;
use std::process::Command;

/// The block of a language in docs/c.md.
fn block(language: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/c.md")).unwrap();
    let start = page.find(&format!("```{language}\n")).unwrap() + language.len() + 4;
    page[start..][..page[start..].find("```").unwrap()].to_owned()
}

/// Writes the block into a file beside the prefix.
fn written(prefix: &Prefix, name: &str, language: &str) -> String {
    let path = prefix.path(name);
    std::fs::write(&path, block(language)).unwrap();
    path
}

#[test]
fn c_by_pkg_config_shared_and_static() {
    let prefix = Prefix::install();
    let source = written(&prefix, "first.c", "c");
    let example = std::fs::read_to_string(root().join("ffi-examples/c/first.c")).unwrap();
    assert_eq!(example, block("c"), "docs/c.md shows another program than ffi-examples/c/first.c");
    let arguments = [prefix.path("q"), "hello".into(), "world".into()];

    let shared = prefix.compile(Path::new(&source), &["-std=c99"]);
    assert_eq!(run(prefix.command(&shared).args(&arguments)), "hello\nworld\n");
    assert!(needed(&shared).contains("[libslipring.so.0]"), "{}", needed(&shared));

    // The archive alone, then with all of libc in it, too.
    let fixed = prefix.compile_static(Path::new(&source), &["-std=c99"]);
    assert_eq!(run(Command::new(&fixed).args(&arguments)), "hello\nworld\n");
    assert!(!needed(&fixed).contains("slipring"), "{}", needed(&fixed));
    let whole = prefix.path("whole");
    run(Command::new("cc")
        .args(["-static", &source, "-o", &whole])
        .args(prefix.pkg_config(&["--static", "--cflags", "--libs"])));
    assert_eq!(run(Command::new(&whole).args(&arguments)), "hello\nworld\n");
    assert_eq!(needed(&whole), "");
}

#[test]
fn inlined_into_c() {
    let prefix = Prefix::install();
    let program = prefix.path("first");
    let page = std::fs::read_to_string(root().join("docs/c.md")).unwrap();
    let start = page.find("make install PREFIX=/opt/slipring LTO=1").unwrap();
    let commands = page[start..][..page[start..].find("```").unwrap()]
        .replace("/opt/slipring", &prefix.at(""))
        .replace("-o first", &format!("-o {program}"));
    run(Command::new("sh").args(["-ec", &commands]).current_dir(root()));
    assert_eq!(run(Command::new(&program).args([&prefix.path("q"), "hello"])), "hello\n");
    let code = run(Command::new("objdump").args(["-d", "--disassemble=main", &program]));
    assert!(code.contains("call"), "no code of main:\n{code}");
    assert!(!code.contains("<slipring_send>"), "main still calls slipring_send:\n{code}");
}

/// The libraries that a program asks for at run time.
fn needed(program: &str) -> String {
    let dynamic = run(Command::new("readelf").args(["-d", program]).env("LC_ALL", "C"));
    dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect()
}

#[test]
fn cpp_by_pkg_config() {
    let prefix = Prefix::install();
    let source = written(&prefix, "first.cpp", "cpp");
    for standard in ["-std=c++17", "-std=c++20"] {
        let program = prefix.path("first");
        run(Command::new("c++")
            .args(STRICT)
            .args([standard, &source, "-o", &program])
            .args(prefix.pkg_config(&["--cflags", "--libs"])));
        assert_eq!(run(prefix.command(&program).arg(prefix.path(standard))), "hello\n");
    }
}

/// A project that asks for one version, with the program of docs/c.md linked both ways.
fn cmake_project(prefix: &Prefix, version: &str) -> String {
    let project = prefix.directory(&format!("project-{version}"));
    std::fs::write(format!("{project}/first.cpp"), block("cpp")).unwrap();
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(first CXX)\nset(CMAKE_CXX_STANDARD 17)\n\
         find_package(slipring {version} REQUIRED)\n\
         add_executable(shared first.cpp)\ntarget_link_libraries(shared PRIVATE slipring::slipring)\n\
         add_executable(static first.cpp)\ntarget_link_libraries(static PRIVATE slipring::static)\n"
    );
    std::fs::write(format!("{project}/CMakeLists.txt"), lists).unwrap();
    project
}

fn cmake(project: &str, finding: &str) -> (bool, String) {
    let build = format!("{project}/build");
    let configured = outcome(Command::new("cmake").args(["-S", project, "-B", &build, finding]));
    if !configured.0 {
        return (false, configured.2);
    }
    run(Command::new("cmake").args(["--build", &build, "--parallel", "2"]));
    (true, build)
}

fn both_programs_work(prefix: &Prefix, build: &str) {
    for program in ["shared", "static"] {
        // CMake's programs know by themselves where their libraries are.
        let said = run(Command::new(format!("{build}/{program}")).arg(prefix.path(program)));
        assert_eq!(said, "hello\n");
        assert_eq!(needed(&format!("{build}/{program}")).contains("slipring"), program == "shared");
    }
}

#[test]
fn cpp_by_cmake_shared_and_static() {
    let prefix = Prefix::install();
    let found = format!("-DCMAKE_PREFIX_PATH={}", prefix.at(""));
    let (built, build) = cmake(&cmake_project(&prefix, env!("CARGO_PKG_VERSION")), &found);
    assert!(built, "{build}");
    both_programs_work(&prefix, &build);
    let (built, said) = cmake(&cmake_project(&prefix, "99.0"), &found);
    assert!(!built && said.contains("99.0"), "{said}");
}

#[test]
fn uninstall_leaves_nothing() {
    let prefix = Prefix::install();
    assert!(files(Path::new(&prefix.at(""))).len() >= 9);
    let other = prefix.at("lib/libother.so");
    std::fs::write(&other, "").unwrap();
    prefix.uninstall();
    assert_eq!(files(Path::new(&prefix.at(""))), [Path::new(&other)]);
}

#[test]
fn destdir_and_libdir_are_honoured() {
    let prefix = Prefix::install();
    let stage = prefix.directory("stage");
    let variables = [
        &format!("DESTDIR={stage}"),
        "PREFIX=/opt/slipring",
        "LIBDIR=/opt/slipring/lib/some-machine",
    ];
    make(&[&["install"][..], &variables].concat());
    let (include, library) =
        (format!("{stage}/opt/slipring/include"), format!("{stage}/opt/slipring/lib/some-machine"));
    let installed = files(Path::new(&stage));
    assert!(
        installed.iter().all(|file| file.starts_with(&include) || file.starts_with(&library)),
        "{installed:?}"
    );
    for file in installed.iter().filter(|file| !file.to_str().unwrap().contains("libslipring.")) {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains(&stage), "{} tells where it was staged", file.display());
    }

    // As a distribution builds against its stage.
    let flags = run(Command::new("pkg-config")
        .env("PKG_CONFIG_PATH", format!("{library}/pkgconfig"))
        .env("PKG_CONFIG_SYSROOT_DIR", &stage)
        .args(["--cflags", "--libs", "slipring"]));
    let wanted = format!("-I{include} -L{library} -lslipring");
    assert_eq!(flags.split_whitespace().collect::<Vec<_>>().join(" "), wanted);
    let (built, build) = cmake(
        &cmake_project(&prefix, env!("CARGO_PKG_VERSION")),
        &format!("-Dslipring_DIR={library}/cmake/slipring"),
    );
    assert!(built, "{build}");
    both_programs_work(&prefix, &build);

    make(&[&["uninstall"][..], &variables].concat());
    assert_eq!(files(Path::new(&stage)), [""; 0].map(Path::new));
}

#[test]
fn python_by_the_installed_library() {
    let prefix = Prefix::install();
    let program = root().join("ffi-examples/python/first.py");
    let said = run(Command::new("python3")
        .arg(program)
        .args([&prefix.path("p"), "hello", "world"])
        .env("SLIPRING_LIBRARY", prefix.at("lib/libslipring.so.0"))
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert_eq!(said, "greeting 1 hello\ngreeting 1 world\n");
}
