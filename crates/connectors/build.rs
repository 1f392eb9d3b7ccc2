//! The shipped definitions are part of the binary: a new or changed file must lead to a new one.

fn main() {
    println!("cargo:rerun-if-changed=../../definitions");
}
