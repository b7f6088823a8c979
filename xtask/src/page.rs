//! The search page, served beside the stack: in AWS it lies in S3, behind the CDN that also leads to the API.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{launcher::Launcher, ports, service::Service, workspace};

/// Serves `web/search` with a `config.json` that says where the API is; the server and the page's address.
pub(crate) async fn serve(launcher: &Launcher, api_url: &str, state_dir: &Path) -> Result<(Service, String)> {
    let folder = state_dir.join("web");
    lay_out(&workspace::root().join("web/search"), &folder, api_url)?;
    let port = ports::any()?;
    let service = launcher.web(&folder, port).await?;
    Ok((service, format!("http://127.0.0.1:{port}/")))
}

/// Links, not copies: who changes the page sees the change after a reload.
fn lay_out(page: &Path, folder: &Path, api_url: &str) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for file in fs::read_dir(page).with_context(|| format!("cannot read {}", page.display()))? {
        let file = file?;
        std::os::unix::fs::symlink(file.path(), folder.join(file.file_name()))
            .with_context(|| format!("cannot link {}", file.path().display()))?;
    }
    let config = folder.join("config.json");
    fs::write(&config, json!({ "apiUrl": api_url }).to_string())
        .with_context(|| format!("cannot write {}", config.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_where_the_api_is_however_often_it_is_laid_out() {
        let folder = tempfile::tempdir().unwrap();
        let page = workspace::root().join("web/search");
        for api_url in ["http://127.0.0.1:1/a", "http://127.0.0.1:2/b"] {
            lay_out(&page, &folder.path().join("web"), api_url).unwrap();
            let config = fs::read_to_string(folder.path().join("web/config.json")).unwrap();
            assert_eq!(config, format!(r#"{{"apiUrl":"{api_url}"}}"#));
            assert!(folder.path().join("web/index.html").exists());
        }
    }
}
