//! Installing tools, without a network: what is there is not installed again, what failed is.

use std::fs;

use anyhow::bail;

use super::Tree;
use crate::tools::Tools;

#[test]
fn a_tool_is_installed_once_and_a_half_installed_one_again() {
    let tree = Tree::new(&[]);
    let tools = Tools::at(tree.at("tools"));
    let failed = tools.installed("@some/tool", "1.0.0", |folder| {
        fs::write(folder.join("half"), "")?;
        bail!("the network is down")
    });
    let error = format!("{:#}", failed.unwrap_err());
    assert!(error.contains("cannot install @some/tool 1.0.0"), "{error}");
    assert!(error.contains("the network is down"), "{error}");

    let folder = tools
        .installed("@some/tool", "1.0.0", |folder| {
            assert!(!folder.join("half").exists(), "what was left is gone");
            Ok(fs::write(folder.join("tool"), "")?)
        })
        .unwrap();
    assert_eq!(folder, tree.at("tools").join("some-tool-1.0.0"));
    let again = tools.installed("@some/tool", "1.0.0", |_| bail!("it is there")).unwrap();
    assert!(again.join("tool").is_file());
    assert!(tools.installed("@some/tool", "1.0.1", |_| bail!("another version")).is_err());
}
