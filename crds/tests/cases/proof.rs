use serde_json::json;

use super::{Case, Cases, with};

const PROGRAM: &str = "set exactly one of artifact, inline, configMap";
const STDIN: &str = "set exactly one of entries, artifact, configMap";
const ENTRY: &str = "set exactly one of u32, u64, base64";
const BASE64: &str = "must be standard base64 with padding and without line breaks";
const PADDING: &str = "base64 may have = only as its last one or two characters";
const INLINE_BASE64: &str = "an inline program must be standard base64 with padding and without line breaks (base64 -w0 FILE)";
const INLINE_SIZE: &str = "an inline program may have at most 1048576 characters of base64, or the object would not fit into etcd: use configMap, or upload the ELF and set artifact (kubectl proof submit does)";
const TOGETHER: &str = "the inline program and the base64 entries of stdin may have at most 1048576 characters together, or the object would not fit into etcd: upload one of them and set its artifact (kubectl proof submit does)";
const GAS: &str = "limits.gas is for mode Execute, since SP1 counts no gas where it proves: set limits.cycles instead";
const DEADLINE: &str = "no such time can be waited for: leave the deadline out for none";
const MAP_NAME: &str = "not the name of a ConfigMap: use lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each part";
const MAP_KEY: &str = "not a key of a ConfigMap: use letters, digits, '-', '_' and '.'";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Cases::new("ProofRequest");
    unions(&mut cases);
    strings(&mut cases);
    sizes(&mut cases);
    gas(&mut cases);
    deadlines(&mut cases);
    changes(&mut cases);
    cases.list
}

fn deadlines(cases: &mut Cases) {
    let until = |time| json!({"program": {"artifact": "program_00"}, "deadline": time});
    cases.accept("a deadline", until("2030-01-31T12:00:00.123456789+01:00"));
    cases.accept("one that has passed", until("1970-01-01T00:00:00Z"));
    cases.refuse(
        "never",
        until("9000-01-01T00:00:00Z"),
        "spec.deadline",
        DEADLINE,
    );
}

fn unions(cases: &mut Cases) {
    let elf = json!({"artifact": "program_00"});
    let map = json!({"name": "elfs.v1", "key": "a_B-1.elf"});
    cases.accept("program by artifact", json!({"program": elf}));
    cases.accept("program inline", json!({"program": {"inline": "f0VMRg=="}}));
    cases.accept(
        "program by configmap",
        json!({"program": {"configMap": map}}),
    );
    cases.refuse(
        "no program",
        json!({"program": {}}),
        "spec.program",
        PROGRAM,
    );
    cases.refuse(
        "two programs",
        json!({"program": {"artifact": "program_00", "inline": "f0VMRg=="}}),
        "spec.program",
        PROGRAM,
    );
    cases.refuse(
        "three programs",
        json!({"program": {"artifact": "program_00", "inline": "f0VMRg==", "configMap": map}}),
        "spec.program",
        PROGRAM,
    );

    let entries =
        json!([{"u32": 0}, {"u64": 9223372036854775807u64}, {"base64": ""}, {"base64": "aGk="}]);
    cases.accept(
        "stdin entries",
        json!({"program": elf, "stdin": {"entries": entries}}),
    );
    cases.accept(
        "stdin without entries",
        json!({"program": elf, "stdin": {"entries": []}}),
    );
    cases.accept(
        "stdin by artifact",
        json!({"program": elf, "stdin": {"artifact": "artifact_00"}}),
    );
    cases.accept(
        "stdin by configmap",
        json!({"program": elf, "stdin": {"configMap": map}}),
    );
    cases.refuse(
        "no stdin",
        json!({"program": elf, "stdin": {}}),
        "spec.stdin",
        STDIN,
    );
    cases.refuse(
        "two stdins",
        json!({"program": elf, "stdin": {"entries": entries, "artifact": "artifact_00"}}),
        "spec.stdin",
        STDIN,
    );
    cases.refuse(
        "empty entry",
        json!({"program": elf, "stdin": {"entries": [{"u32": 1}, {}]}}),
        "spec.stdin.entries[1]",
        ENTRY,
    );
    cases.refuse(
        "two values in an entry",
        json!({"program": elf, "stdin": {"entries": [{"u32": 1, "base64": ""}]}}),
        "spec.stdin.entries[0]",
        ENTRY,
    );
}

fn strings(cases: &mut Cases) {
    let elf = json!({"artifact": "program_00"});
    for (title, text) in [
        ("inline with a line break", "f0VM\nRg=="),
        ("inline without padding", "f0VMRg"),
        ("inline in url base64", "_0VMRg=="),
    ] {
        let spec = json!({"program": {"inline": text}});
        cases.refuse(title, spec, "spec.program.inline", INLINE_BASE64);
    }
    for (title, text) in [("entry in hex", "0x01"), ("entry without padding", "aGk")] {
        let spec = json!({"program": elf, "stdin": {"entries": [{"base64": text}]}});
        // The digits of 0x01 are base64 by themselves: what a rule cannot know.
        if text.len() % 4 == 0 {
            cases.accept(title, spec);
        } else {
            cases.refuse(title, spec, "spec.stdin.entries[0].base64", BASE64);
        }
    }
    cases.refuse(
        "entry with padding inside",
        json!({"program": elf, "stdin": {"entries": [{"base64": "aG==aGk="}]}}),
        "spec.stdin.entries[0].base64",
        PADDING,
    );
    for (title, name) in [
        ("configmap in capitals", "Elfs"),
        ("configmap with an empty part", "elfs..v1"),
        ("configmap ending in a dash", "elfs-"),
    ] {
        let spec = json!({"program": {"configMap": {"name": name, "key": "a"}}});
        cases.refuse(title, spec, "spec.program.configMap.name", MAP_NAME);
    }
    cases.refuse(
        "configmap key with a slash",
        json!({"program": elf, "stdin": {"configMap": {"name": "a", "key": "a/b"}}}),
        "spec.stdin.configMap.key",
        MAP_KEY,
    );
    let long = cases.add(
        "a name of 64 characters",
        None,
        json!({"program": elf}),
        &[(
            "metadata.name",
            "the name may have at most 63 characters, since it is used as a label",
        )],
    );
    long.name = Some("n".repeat(64));
    let longest = cases.add(
        "a name of 63 characters",
        None,
        json!({"program": elf}),
        &[],
    );
    longest.name = Some("n".repeat(63));
}

fn sizes(cases: &mut Cases) {
    let most = "A".repeat(1 << 20);
    cases.accept(
        "inline of the largest size",
        json!({"program": {"inline": most}}),
    );
    cases.refuse(
        "inline too large",
        json!({"program": {"inline": most.clone() + "AAAA"}}),
        "spec.program.inline",
        INLINE_SIZE,
    );
    let entry = json!({"base64": "A".repeat(1 << 16)});
    cases.accept(
        "entries of the largest size",
        json!({"program": {"artifact": "program_00"}, "stdin": {"entries": vec![entry.clone(); 16]}}),
    );
    cases.refuse(
        "entries too large",
        json!({"program": {"inline": "AAAA"}, "stdin": {"entries": vec![entry; 16]}}),
        "spec",
        TOGETHER,
    );
}

fn gas(cases: &mut Cases) {
    let spec = json!({"program": {"artifact": "program_00"}, "limits": {"gas": 5}});
    let of_mode = |mode: &str| with(&spec, json!({"mode": mode}));
    cases.accept("a limit on gas of an execution", of_mode("Execute"));
    for (title, spec) in [
        ("a limit on gas of the default mode", spec.clone()),
        ("a limit on gas of a core proof", of_mode("Core")),
        (
            "a limit on gas of a compressed proof",
            of_mode("Compressed"),
        ),
        ("a limit on gas of a wrapped proof", of_mode("Groth16")),
    ] {
        cases.refuse(title, spec, "spec.limits.gas", GAS);
    }
}

fn changes(cases: &mut Cases) {
    let old = json!({
        "program": {"artifact": "program_00"},
        "stdin": {"entries": [{"u32": 1}]},
        "limits": {"cycles": 5},
    });
    let without_stdin = with(&old, json!({"stdin": null}));
    let mut change = |title, old: &serde_json::Value, change, refused: &[_]| {
        let spec = with(old, change);
        cases.add(title, Some(old.clone()), spec, refused);
    };
    change("nothing changed", &old, json!({}), &[]);
    change(
        "all that may change",
        &old,
        json!({
            "suspend": true,
            "cancel": true,
            "priority": -1000,
            "deadline": "2030-01-01T00:00:00Z",
            "ttlSecondsAfterFinished": 0,
        }),
        &[],
    );
    let resumed = with(
        &old,
        json!({"suspend": true, "deadline": "2030-01-01T00:00:00Z"}),
    );
    change(
        "resumed",
        &resumed,
        json!({"suspend": false, "deadline": null}),
        &[],
    );

    let large = json!({
        "program": {"inline": "A".repeat(1 << 19)},
        "stdin": {"entries": vec![json!({"base64": "A".repeat(1 << 16)}); 8]},
    });
    change(
        "a large request suspended",
        &large,
        json!({"suspend": true}),
        &[],
    );

    let program = [(
        "spec.program",
        "program cannot be changed: create another ProofRequest",
    )];
    let stdin = [(
        "spec.stdin",
        "stdin cannot be changed: create another ProofRequest",
    )];
    change(
        "another program",
        &old,
        json!({"program": {"artifact": "program_01"}}),
        &program,
    );
    change(
        "another kind of program",
        &old,
        json!({"program": {"artifact": null, "inline": "AAAA"}}),
        &program,
    );
    change(
        "another stdin",
        &old,
        json!({"stdin": {"entries": [{"u32": 2}]}}),
        &stdin,
    );
    change("stdin removed", &old, json!({"stdin": null}), &stdin);
    change(
        "stdin added",
        &without_stdin,
        json!({"stdin": {"entries": []}}),
        &stdin,
    );
    change(
        "another mode",
        &old,
        json!({"mode": "Core"}),
        &[(
            "spec.mode",
            "mode cannot be changed: create another ProofRequest",
        )],
    );
    let limits = [(
        "spec.limits",
        "limits cannot be changed: create another ProofRequest",
    )];
    change(
        "another limit",
        &old,
        json!({"limits": {"cycles": 6}}),
        &limits,
    );
    change("limits removed", &old, json!({"limits": null}), &limits);
    let cancelled = with(&old, json!({"cancel": true}));
    let cancel = [(
        "spec.cancel",
        "cancel cannot be taken back: create another ProofRequest",
    )];
    change(
        "cancel taken back",
        &cancelled,
        json!({"cancel": false}),
        &cancel,
    );
    change(
        "cancel removed",
        &cancelled,
        json!({"cancel": null}),
        &cancel,
    );
    change(
        "several at once",
        &cancelled,
        json!({"cancel": false, "mode": "Plonk"}),
        &[
            cancel[0],
            (
                "spec.mode",
                "mode cannot be changed: create another ProofRequest",
            ),
        ],
    );
}
