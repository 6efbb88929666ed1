//! Compiles the protocol files. Needs `protoc` (Debian: `protobuf-compiler`, `libprotobuf-dev`), or `PROTOC` naming one.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut includes = vec!["proto"];
    // protoc finds its own well-known types beside its binary; Debian keeps them here instead.
    if Path::new("/usr/include/google/protobuf/empty.proto").exists() {
        includes.push("/usr/include");
    }
    tonic_prost_build::configure()
        // Channel messages are kept and sent again: `Bytes` makes that a count, not a copy.
        .bytes(".worker.SendTaskMessageRequest.payload")
        .bytes(".worker.MessageStreamResponse.payload")
        .compile_protos(&["proto/worker.proto", "proto/cluster.proto"], &includes)
}
