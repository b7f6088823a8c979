//! Settings from the environment, read once, in `main`.
//!
//! A function that starts with a wrong setting fails its cold start with a message that names the variable, not its
//! first request with one that does not. This crate is the only place that reads the environment (`clippy.toml`).
//!
//! ```
//! use platform_config::{ConfigError, Env};
//!
//! struct Config {
//!     coupon_table: String,
//!     page_limit: u16,
//! }
//!
//! impl Config {
//!     fn from_env(env: &Env) -> Result<Self, ConfigError> {
//!         Ok(Self { coupon_table: env.required("COUPON_TABLE")?, page_limit: env.or("PAGE_LIMIT", 20)? })
//!     }
//! }
//!
//! let config = Config::from_env(&Env::from_pairs([("COUPON_TABLE", "coupons")]))?;
//! assert_eq!((config.coupon_table.as_str(), config.page_limit), ("coupons", 20));
//! # Ok::<(), ConfigError>(())
//! ```

use std::{any::type_name, collections::BTreeMap, env::VarError, fmt, str::FromStr};

/// Where settings are looked up. A variable that is set to the empty text counts as missing: that is what
/// templates and shells leave behind where a value was forgotten.
pub struct Env(Source);

enum Source {
    Process,
    Pairs(BTreeMap<String, String>),
}

/// A setting is not there, or not usable. The text names the variable and never shows its value, which may be a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is not set, or empty.
    #[error("environment variable {name} is missing: set it")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// It is set to something that does not parse.
    #[error("environment variable {name} is not valid, correct it: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong with it, without the value.
        reason: String,
    },
}

impl Env {
    /// The environment of this process.
    pub fn process() -> Self {
        Self(Source::Process)
    }

    /// Exactly these variables, for tests.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(Source::Pairs(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// The value of `name`, which must be set.
    pub fn required<T: FromStr<Err: fmt::Display>>(&self, name: &'static str) -> Result<T, ConfigError> {
        self.optional(name)?.ok_or(ConfigError::Missing { name })
    }

    /// The value of `name`, if it is set.
    pub fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.lookup(name)?.filter(|value| !value.is_empty()) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(error) => Err(ConfigError::Invalid { name, reason: reason::<T>(&value, &error) }),
        }
    }

    /// The value of `name`, or `default` where it is not set.
    pub fn or<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &'static str,
        default: T,
    ) -> Result<T, ConfigError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    fn lookup(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match &self.0 {
            Source::Pairs(pairs) => Ok(pairs.get(name).cloned()),
            Source::Process => of_process(name),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn of_process(name: &'static str) -> Result<Option<String>, ConfigError> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(ConfigError::Invalid { name, reason: "it is not UTF-8".into() }),
    }
}

/// What the parser said, unless that repeats the value.
fn reason<T>(value: &str, error: &dyn fmt::Display) -> String {
    let said = error.to_string();
    if said.contains(value) { format!("it does not parse as {}", type_name::<T>()) } else { said }
}

/// The names only: a value may be a secret.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Process => f.write_str("Env(process)"),
            Source::Pairs(pairs) => f.debug_set().entries(pairs.keys()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_missing_and_an_empty_variable_are_the_same() {
        for env in [Env::from_pairs::<&str, &str>([]), Env::from_pairs([("TABLE", "")])] {
            assert_eq!(env.required::<String>("TABLE"), Err(ConfigError::Missing { name: "TABLE" }));
            assert_eq!(env.optional::<String>("TABLE"), Ok(None));
            assert_eq!(env.or("TABLE", 7_u8), Ok(7));
        }
    }

    #[test]
    fn a_value_is_parsed_into_the_type_asked_for() {
        let env = Env::from_pairs([("TABLE", "coupons"), ("LIMIT", "20")]);
        assert_eq!(env.required("TABLE"), Ok("coupons".to_owned()));
        assert_eq!(env.optional("LIMIT"), Ok(Some(20_u16)));
        assert_eq!(env.or("LIMIT", 1_u16), Ok(20));
    }

    #[test]
    fn an_error_names_the_variable_and_the_remedy() {
        let env = Env::from_pairs([("LIMIT", "many")]);
        let missing = env.required::<String>("TABLE").unwrap_err().to_string();
        assert_eq!(missing, "environment variable TABLE is missing: set it");
        let invalid = env.or("LIMIT", 1_u16).unwrap_err().to_string();
        assert_eq!(
            invalid,
            "environment variable LIMIT is not valid, correct it: invalid digit found in string"
        );
    }

    #[test]
    fn the_process_environment_is_read() {
        assert!(Env::process().required::<String>("PATH").is_ok());
        assert_eq!(Env::process().optional::<String>("FLASHSALE_NOBODY_SETS_THIS"), Ok(None));
    }

    /// Its error repeats what it was given, as many do.
    #[derive(Debug, PartialEq)]
    struct Talkative;

    impl FromStr for Talkative {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            Err(format!("cannot use {text} here"))
        }
    }

    proptest! {
        #[test]
        fn a_value_is_never_shown(value in "[a-z0-9]{12,40}") {
            let env = Env::from_pairs([("SECRET", value.as_str())]);
            let error = env.required::<Talkative>("SECRET").unwrap_err();
            let shown = format!("{error} {error:?} {env:?}");
            prop_assert!(!shown.contains(&value), "{}", shown);
        }
    }
}
