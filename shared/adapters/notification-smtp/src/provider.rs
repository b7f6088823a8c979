use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain_ids::ProviderName;
use domain_notification::{Accepted, Address, Failure, Outgoing, Provider, Verdict};
use futures_util::future::{BoxFuture, FutureExt};
use lettre::transport::smtp::{
    authentication::DEFAULT_MECHANISMS,
    client::AsyncSmtpConnection,
    commands::{Data, Mail, Rcpt},
    extension::ClientId,
};

use platform_http_client::InvalidSettings;

use crate::{
    mail::mail,
    reply::{Stage, failure},
    settings::{Account, Tls},
};

/// An account at a mail server.
pub struct SmtpMail {
    name: ProviderName,
    account: Account,
    timeout: Duration,
}

impl SmtpMail {
    /// The account that the settings and the secret name.
    pub fn from_settings(
        name: &ProviderName,
        endpoint: Option<&str>,
        settings: &BTreeMap<String, String>,
        secret: &serde_json::Value,
        timeout: Duration,
    ) -> Result<Self, InvalidSettings> {
        let account = Account::parse(endpoint, settings, secret)?;
        Ok(Self { name: name.clone(), account, timeout })
    }

    async fn send_mail(&self, outgoing: &Outgoing) -> Result<Accepted, Failure> {
        let Address::Mail(to) = &outgoing.address else {
            return Err(Failure::new(Verdict::Skip, "wrong-channel"));
        };
        let mail = mail(&self.account.from, to, outgoing)?;
        let progress = Progress(Mutex::new(Stage::Entry));
        match tokio::time::timeout(self.timeout, self.converse(&mail.message, &progress)).await {
            Ok(Ok(())) => Ok(Accepted { reference: Some(mail.id), dead: Vec::new() }),
            Ok(Err(error)) => Err(failure(progress.stage(), &error)),
            Err(_) => Err(progress.stage().timed_out()),
        }
    }

    /// The dialogue. Whatever ends it, `progress` tells where.
    async fn converse(
        &self,
        message: &lettre::Message,
        progress: &Progress,
    ) -> Result<(), lettre::transport::smtp::Error> {
        let Account { host, port, tls, credentials, from } = &self.account;
        let name = ClientId::Domain(from.email.domain().to_owned());
        let (wrapper, starttls) = match tls {
            Tls::Wrapper(parameters) => (Some(parameters.clone()), None),
            Tls::Required(parameters) => (None, Some(parameters.clone())),
            Tls::None => (None, None),
        };
        let server = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &name, wrapper, None).await?;
        if let Some(parameters) = starttls {
            connection.starttls(parameters, &name).await?;
        }
        if let Some(credentials) = credentials {
            progress.at(Stage::Login);
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        let envelope = message.envelope();
        progress.at(Stage::Sender);
        connection.command(Mail::new(envelope.from().cloned(), Vec::new())).await?;
        progress.at(Stage::Recipient);
        for to in envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
        }
        progress.at(Stage::Start);
        connection.command(Data).await?;
        progress.at(Stage::Content);
        connection.message(&message.formatted()).await?;
        // The mail is the server's now. A farewell is polite, an answer to it worth no wait.
        let _ = connection.quit().now_or_never();
        Ok(())
    }
}

/// Where a dialogue stands; it outlives one that is cut off.
struct Progress(Mutex<Stage>);

impl Progress {
    fn at(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn stage(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SmtpMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMail").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Provider for SmtpMail {
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<Accepted, Failure>> {
        Box::pin(self.send_mail(outgoing))
    }
}
