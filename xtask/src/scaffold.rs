//! `new-function`: a Lambda function that compiles, passes its test and needs only its purpose.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// Where each file goes, and what it begins as.
const FILES: [(&str, &str); 7] = [
    ("functions/{{name}}/Cargo.toml", include_str!("../assets/new-function/Cargo.toml.tmpl")),
    ("functions/{{name}}/README.md", include_str!("../assets/new-function/README.md.tmpl")),
    ("functions/{{name}}/src/main.rs", include_str!("../assets/new-function/main.rs.tmpl")),
    ("functions/{{name}}/src/lib.rs", include_str!("../assets/new-function/lib.rs.tmpl")),
    ("functions/{{name}}/src/handler.rs", include_str!("../assets/new-function/handler.rs.tmpl")),
    ("functions/{{name}}/tests/handler.rs", include_str!("../assets/new-function/test.rs.tmpl")),
    ("events/api/{{name}}.json", include_str!("../assets/new-function/event.json.tmpl")),
];

/// Lays out `functions/<name>/` and a sample event; says what comes next.
pub(crate) fn new_function(name: &str) -> Result<()> {
    lay_out(workspace::root(), name)?;
    // Where imports stand and lines break depends on the name.
    let formatted =
        Command::new("cargo").current_dir(workspace::root()).args(["fmt", "--package", name]).status();
    ensure!(formatted.is_ok_and(|status| status.success()), "cargo fmt failed: run it by hand");
    println!(
        "functions/{name} is laid out. Next:
  1. cargo test -p {name}
  2. say in its README, its Cargo.toml and its doc comments what it is for, and give it its route
  3. infra/cdk/lib/functions.ts: add '{name}'
     infra/cdk/lib/routes.ts: add its route
     infra/cdk/lib/stacks: define it as a RustFunction, with the permissions it needs
  4. tests/openapi/src/lib.rs: add {}::handler::handle to the paths; then write docs/openapi.json anew
  5. make dev",
        crate_name(name)
    );
    Ok(())
}

fn lay_out(root: &Path, name: &str) -> Result<()> {
    check(name)?;
    for (path, content) in FILES {
        let path = root.join(fill_in(path, name));
        if path.exists() {
            bail!("{} is there already", workspace::display(&path));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        fs::write(&path, fill_in(content, name))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn check(name: &str) -> Result<()> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words: Vec<&str> = name.split('-').collect();
    ensure!(
        words.len() >= 2 && words.iter().all(|word| is_word(word)),
        "{name} is no verb-noun: lower-case words joined by -, as in redeem-coupon"
    );
    Ok(())
}

fn fill_in(template: &str, name: &str) -> String {
    let pascal = pascal_case(name);
    let camel = pascal.get(..1).unwrap_or_default().to_lowercase() + pascal.get(1..).unwrap_or_default();
    template
        .replace("{{name}}", name)
        .replace("{{crate}}", &crate_name(name))
        .replace("{{type}}", &pascal)
        .replace("{{operation}}", &camel)
}

fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}

fn pascal_case(name: &str) -> String {
    let capital =
        |word: &str| word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default();
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_verb_and_a_noun() {
        for name in ["redeem-coupon", "list-my-coupons"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["coupon", "Redeem-Coupon", "redeem--coupon", "-coupon", "redeem_coupon", "../up", ""] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_file_is_filled_in_and_none_is_overwritten() {
        let root = tempfile::tempdir().unwrap();
        lay_out(root.path(), "redeem-coupon").unwrap();
        for (path, _) in FILES {
            let text = fs::read_to_string(root.path().join(fill_in(path, "redeem-coupon"))).unwrap();
            assert!(!text.contains("{{"), "{path}");
        }
        let handler = root.path().join("functions/redeem-coupon/src/handler.rs");
        let handler = fs::read_to_string(handler).unwrap();
        assert!(handler.contains("pub struct RedeemCouponView"));
        assert!(handler.contains("operation_id = \"redeemCoupon\""));

        let error = lay_out(root.path(), "redeem-coupon").unwrap_err().to_string();
        assert!(error.ends_with("functions/redeem-coupon/Cargo.toml is there already"), "{error}");
    }
}
