//! Small made files that no importer may take, nor choke on. The benchmark of imports measures the same ones.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

/// A file, and what is said of it.
pub struct BadFile {
    pub what: &'static str,
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// Parts of the answer; none where the file is taken and something is told of it.
    pub told: &'static [&'static str],
}

pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
        zip.write_all(bytes).expect("its bytes");
    }
    zip.finish().expect("a zip").into_inner()
}

const ONE: &str = "attack_technique: T1003\natomic_tests:\n- name: One\n  auto_generated_guid: \
    aaaaaaaa-0000-4000-8000-000000000001\n  executor: {name: sh, command: id}\n";

fn link() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("atomics/T1003/T1003.yaml", "/etc/passwd", SimpleFileOptions::default()).expect("a link");
    zip.finish().expect("a zip").into_inner()
}

fn alias_bomb() -> Vec<u8> {
    let mut yaml = "attack_technique: T1003\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        yaml += &format!("a{level}: &a{level} [{alias}]\n");
    }
    (yaml + "atomic_tests: []\n").into_bytes()
}

/// Every kind of file that is refused as a whole.
pub fn refused() -> Vec<BadFile> {
    let file = |what, name, bytes: &[u8], told| BadFile { what, name, bytes: bytes.to_vec(), told };
    let deep_yaml = format!("attack_technique: T1003\natomic_tests: {}", "[".repeat(10_000));
    let deep_json = format!("{{\"type\":\"bundle\",\n\"objects\":{}", "[".repeat(10_000));
    let bomb = vec![b' '; 60 << 20];
    vec![
        file("alias bomb", "T1003.yaml", &alias_bomb(), &["T1003.yaml"]),
        file("10,000-deep YAML", "T1003.yaml", deep_yaml.as_bytes(), &["T1003.yaml"]),
        file(
            "10,000-deep JSON",
            "enterprise-attack-1.0.json",
            deep_json.as_bytes(),
            &["line 2", "nested deeper"],
        ),
        file(
            "zip bomb of YAML",
            "a.zip",
            &zip_of(&[("T1003/T1003.yaml", &bomb[..3 << 20])]),
            &["a.zip, entry T1003/T1003.yaml", "more than 200 times its size"],
        ),
        file(
            "zip bomb of JSON",
            "a.zip",
            &zip_of(&[("bundle.json", &bomb)]),
            &["more than 200 times its size"],
        ),
        file(
            "path out of the zip",
            "a.zip",
            &zip_of(&[("../T1003/T1003.yaml", ONE.as_bytes())]),
            &["a.zip, entry ../T1003/T1003.yaml", "leads out of the archive"],
        ),
        file(
            "path of Windows out of the zip",
            "a.zip",
            &zip_of(&[("..\\bundle.json", b"{}")]),
            &["leads out of the archive"],
        ),
        file("symbolic link", "a.zip", &link(), &["symbolic link"]),
        file("65 MiB", "large.json", &vec![b' '; 65 << 20], &["larger than 64 MiB"]),
        file("NUL in YAML", "T1003.yaml", ONE.replace("One", "\"O\\0ne\"").as_bytes(), &["line 3", "U+0000"]),
        file("NUL bytes", "T1003.yaml", ONE.replace("One", "O\0ne").as_bytes(), &["T1003.yaml"]),
        file(
            "NUL in JSON",
            "enterprise-attack-1.0.json",
            b"{\"type\":\"bundle\",\"objects\":[\n{\"type\":\"x\",\"id\":\"\\u0000\"}]}",
            &["objects[0]", "line 2", "U+0000"],
        ),
        file("invalid UTF-8", "T1003.yaml", &[ONE.as_bytes(), b"- name: \xff\xfe\n"].concat(), &["UTF-8"]),
        file(
            "unknown tag",
            "T1003.yaml",
            ONE.replace("{name: sh", "!!python/object:os.system {name: sh").as_bytes(),
            &[],
        ),
        file(
            "truncated JSON",
            "enterprise-attack-1.0.json",
            b"{\"type\":\"bundle\",\"objects\":[{\"type\":",
            &["line 1"],
        ),
        file("no file of ours", "photo.png", b"\x89PNG\r\n", &["nothing that Tyrian reads"]),
    ]
}
