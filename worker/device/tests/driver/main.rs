//! What is asked of NVIDIA's driver, and how its answers are taken, on a machine without one: the driver is made up, and all else is as in a worker.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use provost_device::{Device, DeviceError, FULL_MEMORY, LEAST_MEMORY, find, free_bytes};

const GIB: u64 = 1 << 30;

/// Set in a process that has the driver.
const HAS_DRIVER: &str = "PROVOST_TEST_HAS_DRIVER";

/// A folder with the driver.
fn driver() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("driver");
        std::fs::create_dir_all(&folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver/fake.c");
        let mut compiler = Command::new("cc");
        let compiler = compiler.args(["-shared", "-fPIC", "-o"]);
        let compiler = compiler.arg(folder.join("libcuda.so")).arg(source);
        assert!(compiler.status().unwrap().success());
        folder
    })
}

/// Whether this process has a driver that says `answers`. If not, one that has runs the test of this name.
fn has_driver(test: &str, answers: &[(&str, &str)]) -> bool {
    if std::env::var_os(HAS_DRIVER).is_some() {
        return true;
    }
    let mut with = Command::new(std::env::current_exe().unwrap());
    with.args(["--exact", test]).env(HAS_DRIVER, "1");
    with.env("LD_LIBRARY_PATH", driver());
    let answers = answers.iter().copied();
    let out = with.envs(answers).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
    false
}

fn refused(device: &Device) -> &'static str {
    let refused = device
        .check(None)
        .and_then(|()| device.check_free(LEAST_MEMORY));
    refused.unwrap_err().reason()
}

#[test]
fn a_device_is_described_as_the_driver_does() {
    if !has_driver("a_device_is_described_as_the_driver_does", &[]) {
        return;
    }
    assert_eq!(free_bytes(), None, "nobody has looked");
    let device = find().unwrap();
    assert_eq!(device.name, "Fake 0");
    assert_eq!(device.uuid, "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!((device.capability, device.driver), ((9, 0), (13, 1)));
    assert_eq!(
        (device.total_bytes, device.free_bytes),
        (80 * GIB, 79 * GIB)
    );
    assert!(device.memory_pools && device.visible == 1);
    assert_eq!(device.check(None), Ok(()));
    assert_eq!(device.check_free(FULL_MEMORY), Ok(()));
    assert_eq!(free_bytes(), Some(79 * GIB));
}

#[test]
fn a_driver_without_a_device_is_no_device() {
    let none = [("FAKE_COUNT", "0")];
    if has_driver("a_driver_without_a_device_is_no_device", &none) {
        assert_eq!(find(), Err(DeviceError::NoDevice));
    }
}

#[test]
fn a_driver_that_finds_none_at_its_start_is_no_device() {
    let none = [("FAKE_INIT", "100")];
    if has_driver("a_driver_that_finds_none_at_its_start_is_no_device", &none) {
        assert_eq!(find(), Err(DeviceError::NoDevice));
    }
}

#[test]
fn an_error_of_the_driver_is_named() {
    let broken = [("FAKE_MEMORY", "214")];
    if has_driver("an_error_of_the_driver_is_named", &broken) {
        let error = find().unwrap_err();
        assert_eq!(error.reason(), "DriverError");
        assert!(error.to_string().contains("ECC_UNCORRECTABLE"), "{error}");
        // Seen again, as an error of a context is.
        assert_eq!(find().unwrap_err(), error);
        assert_eq!(free_bytes(), None);
    }
}

#[test]
fn a_device_that_another_process_has_the_context_of_alone_is_named() {
    let exclusive = [("FAKE_CONTEXT", "46")];
    let test = "a_device_that_another_process_has_the_context_of_alone_is_named";
    if has_driver(test, &exclusive) {
        assert_eq!(find().unwrap_err().reason(), "DriverError");
    }
}

#[test]
fn what_will_not_do_is_refused_by_what_the_driver_says() {
    let test = "what_will_not_do_is_refused_by_what_the_driver_says";
    let cases = [
        ("FAKE_VERSION", "12090", "DriverTooOld"),
        ("FAKE_MAJOR", "7", "DeviceTooOld"),
        ("FAKE_COUNT", "2", "SeveralDevices"),
        ("FAKE_POOLS", "0", "NoMemoryPools"),
        ("FAKE_FREE_GIB", "19", "DeviceBusy"),
    ];
    for (name, value, reason) in cases {
        if has_driver(test, &[(name, value), ("EXPECTED", reason)]) {
            let expected = std::env::var("EXPECTED").unwrap();
            assert_eq!(refused(&find().unwrap()), expected);
            return;
        }
    }
}
