//! Which port to listen on.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// The port local AWS emulators are usually found on.
const USUAL: u16 = 4566;

/// `wanted` or an error if something listens there; without a wish the usual port, or any other that is free.
pub(crate) fn choose(wanted: Option<u16>) -> Result<u16> {
    match wanted {
        Some(port) if is_free(port) => Ok(port),
        Some(port) => {
            bail!("port {port} is in use: stop what listens there, or choose another with FLASHSALE_PORT")
        }
        None if is_free(USUAL) => Ok(USUAL),
        None => any(),
    }
}

/// Any free port.
pub(crate) fn any() -> Result<u16> {
    let listener = listen(0).context("no port of 127.0.0.1 is free")?;
    Ok(listener.local_addr()?.port())
}

/// Any free port whose next one is free too.
pub(crate) fn pair() -> Result<u16> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let port = any()?;
        if port.checked_add(1).is_some_and(is_free) {
            return Ok(port);
        }
    }
    bail!("no two ports in a row of 127.0.0.1 are free")
}

fn is_free(port: u16) -> bool {
    listen(port).is_ok()
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wanted_port_that_is_free_is_taken() {
        let port = any().unwrap();
        assert_eq!(choose(Some(port)).unwrap(), port);
    }

    #[test]
    fn a_wanted_port_in_use_is_an_error_with_the_remedy() {
        let listener = listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = choose(Some(port)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("port {port} is in use")) && error.contains("FLASHSALE_PORT"),
            "{error}"
        );
    }

    #[test]
    fn without_a_wish_a_port_in_use_is_never_chosen() {
        let _holds_the_usual = listen(USUAL);
        let port = choose(None).unwrap();
        assert_ne!(port, USUAL);
        assert!(is_free(port));
    }
}
