//! Compiles the piece of C++ for Boost, if its headers are here, and says which contenders there are.

fn main() {
    println!("cargo::rerun-if-changed=src/contenders/boost.cpp");
    println!("cargo::rustc-check-cfg=cfg(boost)");
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").file("src/contenders/boost.cpp").cargo_warnings(false);
    match build.try_compile("peers_boost") {
        Ok(()) => println!("cargo::rustc-cfg=boost"),
        Err(_) => println!("cargo::warning=no Boost.Interprocess: install libboost-dev"),
    }
}
