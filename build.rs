//! Declares to the linker which Node-API symbols the host provides.

fn main() {
    napi_build::setup();
}
