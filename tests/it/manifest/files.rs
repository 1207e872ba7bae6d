//! Directories, globs and single files.

use super::{Place, column, kinds};
use quarry::error::Code;
use serde_json::{Value, json};
use std::fs;

#[test]
fn files_become_rows_in_the_order_of_their_names() {
    let place = Place::new(&[
        ("b/two.HTML", b"<p>two"),
        ("a.txt", b"one"),
        ("c", b"\x89PNG\r\n\x1a\n...."),
        (".hidden", b"h"),
        ("b/.dir/x.txt", b"h"),
    ]);
    let mut request = place.request(&["in"]);
    let (report, rows) = place.build(&request);
    let types = ["uri:utf8", "size:i64", "media_type:utf8", "sha256:utf8", "metadata:utf8"];
    assert_eq!(kinds(&report)[0], "object_id:utf8");
    assert_eq!(kinds(&report)[1..], types);
    assert_eq!(column(&rows, "object_id"), ["a.txt", "b/two.HTML", "c"]);
    assert_eq!(column(&rows, "uri"), ["in/a.txt", "in/b/two.HTML", "in/c"]);
    assert_eq!(column(&rows, "media_type"), ["text/plain", "text/html", "image/png"]);
    assert_eq!(column(&rows, "size"), [3, 6, 12]);
    // printf one | sha256sum
    let one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
    assert_eq!(rows[0]["sha256"], one);
    let metadata = r#"{"directory":"b","extension":"html","name":"two.HTML"}"#;
    assert_eq!(rows[1]["metadata"], metadata);
    request.hidden = true;
    let (_, rows) = place.build(&request);
    let all = [".hidden", "a.txt", "b/.dir/x.txt", "b/two.HTML", "c"];
    assert_eq!(column(&rows, "object_id"), all);
}

#[test]
fn a_file_outside_the_manifests_directory_is_named_by_its_url() {
    let place = Place::new(&[("ä b.txt", b"1")]);
    fs::create_dir(place.path("out")).unwrap();
    let mut request = place.request(&["in"]);
    request.output = place.path("out/m.parquet");
    let (_, rows) = place.build(&request);
    let url = rows[0]["uri"].as_str().unwrap();
    assert!(url.starts_with("file:///") && url.ends_with("/in/%C3%A4%20b.txt"), "{url}");
    assert_eq!(rows[0]["object_id"], "ä b.txt");
}

#[test]
fn a_relative_uri_never_looks_like_a_url() {
    let place = Place::new(&[]);
    fs::write(place.path("s3:x"), "1").unwrap();
    let (_, rows) = place.build(&place.request(&["s3:x"]));
    assert_eq!(rows[0]["uri"], "./s3:x");
}

#[test]
fn the_manifest_is_never_an_object_of_itself() {
    let place = Place::new(&[("a.txt", b"1"), (".m.parquet.0.partial", b"left by a crash")]);
    let mut request = place.request(&["in"]);
    request.output = place.path("in/m.parquet");
    request.hidden = true;
    for _ in 0..2 {
        let (_, rows) = place.build(&request);
        assert_eq!(column(&rows, "object_id"), ["a.txt"]);
    }
}

#[test]
fn text_up_to_the_limit_is_inlined() {
    let place = Place::new(&[
        ("a-bom.txt", b"\xef\xbb\xbfhi"),
        ("b-empty", b""),
        ("c-exact.md", b"12345678"),
        ("d-over.md", b"123456789"),
        ("e-latin1.txt", b"\xe9"),
        ("f-zero.txt", b"a\0b"),
    ]);
    let mut request = place.request(&["in"]);
    request.text = true;
    request.text_bytes_max = 8;
    let (_, rows) = place.build(&request);
    let null = Value::Null;
    let (hi, empty, exact) = (json!("hi"), json!(""), json!("12345678"));
    assert_eq!(column(&rows, "text"), [&hi, &empty, &exact, &null, &null, &null]);
}

#[test]
fn the_first_bytes_tell_the_type_where_the_name_does_not() {
    let place = Place::new(&[
        ("a", b"GIF89a"),
        ("b", b"RIFF\0\0\0\0WEBPVP8 "),
        ("c", b"%PDF-1.7"),
        ("d", b"\xff\xd8\xff\xe0"),
        ("e", b"\n <!DOCTYPE HTML><p>"),
        ("f", b"only words"),
        ("g", b"\0\x01\x02"),
        ("h.txt", b"\xff\xd8\xff\xe0"),
    ]);
    let (_, rows) = place.build(&place.request(&["in"]));
    let types = [
        "image/gif",
        "image/webp",
        "application/pdf",
        "image/jpeg",
        "text/html",
        "text/plain",
        "application/octet-stream",
        "image/jpeg",
    ];
    assert_eq!(column(&rows, "media_type"), types);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_escaped() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new(&[]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    fs::write(place.path("in").join(name), "1").unwrap();
    let (_, rows) = place.build(&place.request(&["in"]));
    assert_eq!(rows[0]["object_id"], "caf%E9.txt");
    assert!(rows[0]["uri"].as_str().unwrap().ends_with("/in/caf%E9.txt"), "{}", rows[0]["uri"]);
    assert!(rows[0]["uri"].as_str().unwrap().starts_with("file:///"));
}

#[cfg(unix)]
#[test]
fn what_can_not_be_read_is_skipped_and_reported_or_fails_a_strict_build() {
    use std::os::unix::fs::symlink;
    let place = Place::new(&[("d/a.txt", b"1")]);
    symlink("..", place.path("in/d/loop")).unwrap();
    symlink("nowhere", place.path("in/broken")).unwrap();
    symlink("d/a.txt", place.path("in/link.txt")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(place.path("in/socket")).unwrap();
    let mut request = place.request(&["in"]);
    let (report, rows) = place.build(&request);
    assert_eq!(column(&rows, "object_id"), ["d/a.txt", "link.txt"]);
    let skipped: Vec<_> = report.skipped.iter().map(|s| (s.path.as_str(), s.line)).collect();
    let expected = ["in/broken", "in/d/loop", "in/socket"].map(|name| place.text(name));
    assert_eq!(skipped, expected.each_ref().map(|path| (path.as_str(), None)));
    assert_eq!(report.skipped_count, 3);
    assert!(report.skipped[1].reason.contains("link back"), "{}", report.skipped[1]);
    assert_eq!(report.skipped[2].reason, "not a regular file");
    fs::remove_file(place.path("m.parquet")).unwrap();
    request.strict = true;
    let (code, text) = place.refused(&request);
    assert_eq!(code, Code::Invalid);
    assert!(text.starts_with("$/in/broken: ") && text.contains("--strict"), "{text}");
    drop(socket);
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_skipped() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(&[("a.txt", b"1"), ("secret.txt", b"2")]);
    let secret = place.path("in/secret.txt");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&secret).is_ok() {
        eprintln!("not tested: this user (root?) reads files without permission");
        return;
    }
    let (report, rows) = place.build(&place.request(&["in"]));
    assert_eq!(column(&rows, "object_id"), ["a.txt"]);
    assert_eq!(report.skipped_count, 1);
    assert!(report.skipped[0].reason.to_lowercase().contains("permission denied"));
}

#[test]
fn a_glob_takes_what_matches_and_ids_start_at_its_first_wildcard() {
    let place = Place::new(&[
        ("a/1.txt", b"1"),
        ("a/b/2.txt", b"2"),
        ("a/b/3.md", b"3"),
        ("a/.h.txt", b"4"),
        ("r1.csv", b"id\nx\n"),
        ("r2.csv", b"id\ny\n"),
    ]);
    let ids = |pattern: &str| {
        let (_, rows) = place.build(&place.request(&[pattern]));
        rows.iter().map(|row| row["object_id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids("in/*/*.txt"), ["a/1.txt"]);
    assert_eq!(ids("in/a/**/*.txt"), ["1.txt", "b/2.txt"]);
    assert_eq!(ids("in/a/b/[23].*"), ["2.txt", "3.md"]);
    assert_eq!(ids("in/r?.csv"), ["x", "y"], "record files are read, as a shell's expansion is");
    assert_eq!(ids("in/a/b/3.md"), ["3.md"]);
}

#[test]
fn the_same_id_from_two_sources_names_both_files() {
    let place = Place::new(&[("a/x/1.txt", b"1"), ("b/x/1.txt", b"1"), ("b/0.txt", b"0")]);
    let (code, text) = place.refused(&place.request(&["in/a", "in/b"]));
    assert_eq!(code, Code::Invalid);
    let both = "two objects have the id `x/1.txt`: $/in/a/x/1.txt and $/in/b/x/1.txt";
    assert!(text.starts_with(both), "{text}");
    assert!(text.contains("a directory above both"), "{text}");
}
