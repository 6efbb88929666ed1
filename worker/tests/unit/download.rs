//! What `kubectl proof download` writes is what sp1-sdk loads: the stored proof and one byte, bincode of no TEE proof.
#![allow(clippy::unwrap_used)]

use sp1_primitives::io::SP1PublicValues;
use sp1_prover::worker::ProofFromNetwork;
use sp1_sdk::{SP1Proof, SP1ProofWithPublicValues};

#[test]
fn a_stored_proof_and_a_zero_byte_are_an_sp1_sdk_proof() {
    let stored = ProofFromNetwork {
        proof: SP1Proof::Core(Vec::new()),
        public_values: SP1PublicValues::from(b"values"),
        sp1_version: "v6.1.0".to_owned(),
    };
    let mut file = bincode::serialize(&stored).unwrap();
    file.push(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proof.bin");
    std::fs::write(&path, &file).unwrap();
    let loaded = SP1ProofWithPublicValues::load(&path).unwrap();
    assert!(matches!(&loaded.proof, SP1Proof::Core(shards) if shards.is_empty()));
    assert_eq!(loaded.public_values.as_slice(), b"values");
    assert_eq!(loaded.sp1_version, "v6.1.0");
    assert!(loaded.tee_proof.is_none());
    // And what the SDK itself would have saved is the same file.
    loaded.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file);
}
