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

/// A tower of aliases below a first line, which says what kind of file it is.
fn alias_bomb(first: &str) -> Vec<u8> {
    let mut yaml = format!("{first}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        yaml += &format!("a{level}: &a{level} [{alias}]\n");
    }
    yaml.into_bytes()
}

const HEAD: &[u8] =
    b"format: tyrian-repository\nversion: 1\nname: N\nprefix: ABC\ntype: open\nnext_number: 1\n";

/// An archive with one more entry.
fn archive_with(name: &str, bytes: &[u8]) -> Vec<u8> {
    zip_of(&[("repository.yaml", HEAD), (name, bytes)])
}

/// Every kind of file that is refused as a whole.
pub fn refused() -> Vec<BadFile> {
    let file = |what, name, bytes: &[u8], told| BadFile { what, name, bytes: bytes.to_vec(), told };
    let deep_yaml = format!("attack_technique: T1003\natomic_tests: {}", "[".repeat(10_000));
    let deep_json = format!("{{\"type\":\"bundle\",\n\"objects\":{}", "[".repeat(10_000));
    let bomb = vec![b' '; 60 << 20];
    vec![
        file(
            "alias bomb",
            "T1003.yaml",
            &alias_bomb("attack_technique: T1003"),
            &["T1003.yaml", "its anchors and aliases multiply what it holds"],
        ),
        file(
            "10,000-deep YAML",
            "T1003.yaml",
            deep_yaml.as_bytes(),
            &["T1003.yaml", "line 2", "nested deeper than 24 levels"],
        ),
        file(
            "byte-order mark, technique file",
            "T1003.yaml",
            &[b"\xEF\xBB\xBF", ONE.as_bytes()].concat(),
            &["T1003.yaml", "line 1", "byte-order mark"],
        ),
        file(
            "byte-order mark, bundle",
            "enterprise-attack-1.0.json",
            b"\xEF\xBB\xBF{\"type\":\"bundle\",\"objects\":[]}",
            &["enterprise-attack-1.0.json", "line 1", "byte-order mark"],
        ),
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
        file("alias bomb, test plan", "plan.yaml", &alias_bomb("testPlan: 1"), &["plan.yaml", "line 2"]),
        file(
            "10,000-deep test plan",
            "plan.yaml",
            format!("runbook: 1\na: {}", "[".repeat(10_000)).as_bytes(),
            &["plan.yaml", "line 2"],
        ),
        file("NUL in a test plan", "plan.yaml", b"testPlan: 1\na: \"\\0\"\n", &["line 2", "U+0000"]),
        file("byte-order mark, test plan", "plan.yaml", b"\xEF\xBB\xBFtestPlan: 1\n", &["byte-order mark"]),
        file("tab in a test plan", "plan.yaml", b"testPlan:\n\tid: x\n", &["line 2", "tab"]),
        file("unknown tag, test plan", "plan.yaml", b"testPlan: !x 1\n", &["line 1", "not known here"]),
        file("UTF-8, test plan", "plan.yaml", b"testPlan: 1\na: \xff\n", &["line 2", "UTF-8"]),
        file(
            "test plan without anything",
            "plan.yaml",
            b"testPlan: {}\n",
            &["methodologies", "runbook", "it is missing"],
        ),
        file(
            "10,000-deep layer",
            "layer.json",
            format!(
                "{{\"domain\":\"enterprise-attack\",\"versions\":{{}},\n\"techniques\":{}",
                "[".repeat(10_000)
            )
            .as_bytes(),
            &["layer.json", "line 2"],
        ),
        file(
            "layer of another domain",
            "layer.json",
            b"{\"name\":\"n\",\"versions\":{},\"domain\":\"ics-attack\",\"techniques\":[]}",
            &["domain", "ics-attack"],
        ),
        file(
            "zip bomb of an archive",
            "a.zip",
            &archive_with("procedures/a.yaml", &bomb[..3 << 20]),
            &["entry procedures/a.yaml", "more than 200 times its size"],
        ),
        file(
            "path out of an archive",
            "a.zip",
            &archive_with("../a.yaml", b"x"),
            &["entry ../a.yaml", "leads out of the archive"],
        ),
        file(
            "alias bomb in an archive",
            "a.zip",
            &archive_with("procedures/a.yaml", &alias_bomb("id: ABC-1")),
            &["procedures/a.yaml", "line 2"],
        ),
        file(
            "10,000-deep archive",
            "a.zip",
            &archive_with("procedures/a.yaml", "[".repeat(10_000).as_bytes()),
            &["procedures/a.yaml", "line 1"],
        ),
        file(
            "archive of a newer version",
            "a.zip",
            &zip_of(&[(
                "repository.yaml",
                b"format: tyrian-repository\nversion: 99\nname: N\nprefix: ABC\n",
            )]),
            &["repository.yaml", "version"],
        ),
        file("no file of ours", "photo.png", b"\x89PNG\r\n", &["nothing that Tyrian reads"]),
    ]
}
