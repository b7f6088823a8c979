use domain_channel::Priority;
use platform_config::{ConfigError, Env};

/// The URL of a queue for each priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorityUrls {
    /// That of [`Priority::Low`].
    pub low: String,
    /// That of [`Priority::Normal`].
    pub normal: String,
    /// That of [`Priority::High`].
    pub high: String,
    /// That of [`Priority::Urgent`].
    pub urgent: String,
}

impl PriorityUrls {
    /// Those of the dispatch queues: `LOW_QUEUE_URL`, `NORMAL_QUEUE_URL`, `HIGH_QUEUE_URL`, `URGENT_QUEUE_URL`.
    pub fn of_queues(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            low: env.required("LOW_QUEUE_URL")?,
            normal: env.required("NORMAL_QUEUE_URL")?,
            high: env.required("HIGH_QUEUE_URL")?,
            urgent: env.required("URGENT_QUEUE_URL")?,
        })
    }

    /// Those of the dead letters: `LOW_DEAD_LETTERS_URL`, `NORMAL_DEAD_LETTERS_URL`, `HIGH_DEAD_LETTERS_URL`,
    /// `URGENT_DEAD_LETTERS_URL`.
    pub fn of_dead_letters(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            low: env.required("LOW_DEAD_LETTERS_URL")?,
            normal: env.required("NORMAL_DEAD_LETTERS_URL")?,
            high: env.required("HIGH_DEAD_LETTERS_URL")?,
            urgent: env.required("URGENT_DEAD_LETTERS_URL")?,
        })
    }

    /// That of one priority.
    pub fn of(&self, priority: Priority) -> &str {
        match priority {
            Priority::Low => &self.low,
            Priority::Normal => &self.normal,
            Priority::High => &self.high,
            Priority::Urgent => &self.urgent,
        }
    }
}

#[cfg(test)]
impl PriorityUrls {
    /// Each queue's URL is its name.
    pub(crate) fn named(kind: &str) -> Self {
        let url = |priority: Priority| format!("{priority}-{kind}");
        let [low, normal, high, urgent] =
            [Priority::Low, Priority::Normal, Priority::High, Priority::Urgent].map(url);
        Self { low, normal, high, urgent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_priority_has_its_own_queue_and_dead_letters() {
        let names = |kind: &str| {
            let name =
                |priority: &Priority| (format!("{priority}_{kind}_URL").to_uppercase(), priority.to_string());
            Priority::ALL.iter().map(name).collect::<Vec<_>>()
        };
        for (kind, urls) in [
            ("QUEUE", PriorityUrls::of_queues(&Env::from_pairs(names("QUEUE")))),
            ("DEAD_LETTERS", PriorityUrls::of_dead_letters(&Env::from_pairs(names("DEAD_LETTERS")))),
        ] {
            let urls = urls.unwrap();
            for priority in Priority::ALL {
                assert_eq!(urls.of(*priority), priority.name(), "{kind}");
            }
        }
        let missing = PriorityUrls::of_queues(&Env::from_pairs(names("DEAD_LETTERS"))).unwrap_err();
        assert!(missing.to_string().contains("LOW_QUEUE_URL"), "{missing}");
    }
}
