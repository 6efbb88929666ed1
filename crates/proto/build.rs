//! Compiles the protocol files. Needs `protoc` (Debian: `protobuf-compiler`, `libprotobuf-dev`), or `PROTOC` naming one.

use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let mut includes = vec!["proto"];
    // protoc finds its own well-known types beside its binary; Debian keeps them here instead.
    if Path::new("/usr/include/google/protobuf/empty.proto").exists() {
        includes.push("/usr/include");
    }
    // Channel messages are kept and sent again: as `Bytes` that is a count, not a copy.
    tonic_prost_build::configure()
        .bytes(".worker.SendTaskMessageRequest.payload")
        .bytes(".worker.MessageStreamResponse.payload")
        .compile_protos(&["proto/worker.proto", "proto/cluster.proto"], &includes)?;
    // In a folder of its own: the messages that it borrows from worker.proto are not to be made again over the first.
    let link = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("link");
    std::fs::create_dir_all(&link)?;
    tonic_prost_build::configure()
        .out_dir(link)
        .bytes(".provost.link.v1.Create.data")
        .bytes(".provost.link.v1.Assign.data")
        .bytes(".provost.link.v1.Say.payload")
        .bytes(".provost.link.v1.Said.payloads")
        .bytes(".provost.link.v1.Heard.payload")
        .extern_path(".worker", "crate::worker")
        .compile_protos(&["proto/link.proto"], &includes)
}
