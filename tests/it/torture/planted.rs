//! The bugs that `./x planted` plants fit the code as it is.

use crate::support::quarry::root;
use std::process::Command;

#[test]
fn every_planted_bug_can_be_planted() {
    let root = root();
    let folder = root.join("tests/torture/planted");
    let patches: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(patches.len() >= 3, "{patches:?}");
    for patch in patches {
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "apply", "--check"]).arg(&patch).current_dir(&root);
        let checked = git.output().unwrap();
        let says = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: make the patch again\n{says}", patch.display());
        // A patch of nothing that is tracked here applies, too.
        let text = std::fs::read_to_string(&patch).unwrap();
        let path = text.lines().find_map(|line| line.strip_prefix("--- a/")).unwrap();
        assert!(root.join(path).is_file(), "{path}");
        assert!(!text.starts_with("diff"), "{}: say what is broken", patch.display());
    }
}
