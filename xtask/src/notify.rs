//! `notify`: sends samples, and says what became of them.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Answer, Api, Endpoints, Identity, dev, step::Progress};

/// Waiting for a message to be sent: three rounds at the most patient priority take a minute and a half.
const DEADLINE: Duration = Duration::from_mins(3);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The template that is sent for each type.
const SAMPLES: [(&str, &str); 5] = [
    ("sms", "order_confirmed"),
    ("email", "review_request"),
    ("wechat", "payment_succeeded"),
    ("push", "payment_succeeded_push"),
    ("internal", "coupon_expiring"),
];

/// Sends a sample of each type of message to a guest, waits, and says what became of it
#[derive(Debug, Clone, Parser)]
pub(crate) struct Arguments {
    /// The types to send: sms, email, wechat, push, internal; all of them if none is named
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// Another template than the sample of the type
    #[arg(long, value_name = "CODE")]
    template: Option<String>,
    /// Whom: a user of `.local/endpoints.json`, a guest's id, or an address such as tel:+8613800138000
    #[arg(long, default_value = "guest")]
    to: String,
    /// How soon: low, normal, high, urgent
    #[arg(long, default_value = "high")]
    priority: String,
    /// A value for a variable of the template, instead of its example; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// When, in RFC 3339; at once if not given
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Only say what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Another deployment than the one `dev` started
    #[arg(long, value_name = "FILE")]
    endpoints: Option<PathBuf>,
}

/// A message that was accepted.
struct Sample {
    channel: String,
    template: String,
    id: String,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let endpoints = dev::read_endpoints(arguments.endpoints.clone())?;
    let identity = Identity::new(&endpoints).await;
    let admin = endpoints.admin()?;
    let token = identity.token(&admin.name, &admin.password).await?.access_token;
    let api = Api::new(&endpoints.api_url)?;
    let to = receiver(&endpoints, &identity, &arguments.to).await?;

    let progress = Progress::default();
    let wanted = chosen(&arguments)?;
    let step = progress.counted("send", wanted.len().try_into()?);
    let mut samples = Vec::new();
    for (channel, template) in wanted {
        step.say(template.clone());
        let body = request(&api, &token, &arguments, &channel, &template, &to).await?;
        let answer = api.send(Method::POST, "/v1/notifications", Some(&token), Some(&body)).await?;
        if arguments.dry_run {
            ensure!(answer.status == StatusCode::OK, "{template} is refused: {}", answer.brief());
            println!("{channel:<9} {template}: {}", answer.body);
        } else {
            ensure!(answer.status == StatusCode::ACCEPTED, "{template} is refused: {}", answer.brief());
            let id = answer.body.pointer("/items/0/id").and_then(Value::as_str);
            let id = id.context("an answer without the id of the message")?.to_owned();
            samples.push(Sample { channel, template, id });
        }
        step.advance();
    }
    step.done();
    if arguments.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(at) = arguments.at {
        println!("Accepted for {at}:");
        for it in &samples {
            println!("{:<9} {:<24} {}", it.channel, it.template, it.id);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let step = progress.step("wait until they are sent");
    let ended = settled(&api, &token, &samples).await?;
    step.done();
    Ok(report(&endpoints, &samples, &ended))
}

/// A guest's id, or an address as it stands.
async fn receiver(endpoints: &Endpoints, identity: &Identity, to: &str) -> Result<String> {
    match endpoints.user(to) {
        Ok(user) => Ok(identity.token(&user.name, &user.password).await?.subject),
        Err(_) => Ok(to.to_owned()),
    }
}

/// Types, each with its template.
fn chosen(arguments: &Arguments) -> Result<Vec<(String, String)>> {
    let samples = BTreeMap::from(SAMPLES);
    if let Some(template) = &arguments.template {
        let [channel] = arguments.types.as_slice() else { bail!("name the type of {template} before it") };
        return Ok(vec![(channel.clone(), template.clone())]);
    }
    let types: Vec<&str> = if arguments.types.is_empty() {
        SAMPLES.map(|(channel, _)| channel).into()
    } else {
        arguments.types.iter().map(String::as_str).collect()
    };
    types
        .into_iter()
        .map(|channel| {
            let template = samples.get(channel).with_context(|| {
                format!("there is no type {channel}; there are {}", SAMPLES.map(|(name, _)| name).join(", "))
            })?;
            Ok((channel.to_owned(), (*template).to_owned()))
        })
        .collect()
}

async fn request(
    api: &Api,
    token: &str,
    arguments: &Arguments,
    channel: &str,
    template: &str,
    to: &str,
) -> Result<Value> {
    let mut params = examples(api, token, template).await?;
    for given in &arguments.params {
        let (name, value) = given.split_once('=').with_context(|| format!("{given} is not NAME=VALUE"))?;
        params.insert(name.to_owned(), value.into());
    }
    let mut body = json!({
        "type": channel,
        "priority": arguments.priority,
        "template": template,
        "params": params,
        "to": [to],
        "idempotencyKey": format!("xtask-{:032x}", fastrand::u128(..)),
        "dryRun": arguments.dry_run,
    });
    if let (Some(at), Some(body)) = (arguments.at, body.as_object_mut()) {
        body.insert("scheduledAt".into(), json!(at));
    }
    Ok(body)
}

/// What the template's variables may be.
async fn examples(api: &Api, token: &str, code: &str) -> Result<serde_json::Map<String, Value>> {
    let path = format!("/v1/admin/notification-templates/{code}");
    let template = found(api.send(Method::GET, &path, Some(token), None).await?, code)?;
    let version = template.get("version").and_then(Value::as_u64).context("a template without version")?;
    let path = format!("{path}/versions/{version}");
    let version = found(api.send(Method::GET, &path, Some(token), None).await?, code)?;
    let variables = version.get("variables").and_then(Value::as_array).context("no variables")?;
    let example = |variable: &Value| {
        Some((variable.get("name")?.as_str()?.to_owned(), variable.get("example")?.clone()))
    };
    Ok(variables.iter().filter_map(example).collect())
}

fn found(answer: Answer, code: &str) -> Result<Value> {
    ensure!(answer.status == StatusCode::OK, "there is no template {code}: {}", answer.brief());
    Ok(answer.body)
}

/// The messages once each has come to an end.
async fn settled(api: &Api, token: &str, samples: &[Sample]) -> Result<Vec<Value>> {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut ended = Vec::new();
    for sample in samples {
        let path = format!("/v1/notifications/{}", sample.id);
        loop {
            let message = found(api.send(Method::GET, &path, Some(token), None).await?, &sample.template)?;
            let status = message.get("status").and_then(Value::as_str).unwrap_or_default();
            let is_on_its_way = matches!(status, "pending" | "sending");
            if !is_on_its_way || tokio::time::Instant::now() >= deadline {
                ended.push(message);
                break;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(ended)
}

/// A line for each message, and where to look at it.
fn report(endpoints: &Endpoints, samples: &[Sample], ended: &[Value]) -> ExitCode {
    let text =
        |message: &Value, member: &str| message.get(member).and_then(Value::as_str).unwrap_or("–").to_owned();
    println!();
    let mut all_sent = true;
    for (sample, message) in samples.iter().zip(ended) {
        let (status, provider, error) =
            (text(message, "status"), text(message, "provider"), text(message, "error"));
        let was_sent = matches!(status.as_str(), "sent" | "delivered");
        all_sent &= was_sent;
        let mark = if was_sent { "✓" } else { "✗" };
        println!(
            "{mark} {:<9} {:<24} {} {status:<9} by {provider:<16} {}",
            sample.channel,
            sample.template,
            sample.id,
            if was_sent { "" } else { &error }
        );
    }
    println!("\n{}", where_to_look(endpoints));
    if all_sent { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where what was sent can be looked at.
pub(crate) fn where_to_look(endpoints: &Endpoints) -> String {
    let (Some(stubs), Some(aws)) = (&endpoints.provider_stubs, &endpoints.aws_endpoint) else {
        return "What was sent is at the providers.".into();
    };
    format!(
        "sent        {stubs}/ by Aliyun, Tencent, WeChat, SendGrid and SMTP, which are stand-ins\n\
         mails       {aws}/_ministack/ses/messages by SES\n\
         texts       {aws}/_ministack/sns/sms-messages by SNS"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Arguments {
        Arguments::parse_from([&["notify"], words].concat())
    }

    #[test]
    fn a_sample_of_each_type_is_sent_unless_some_are_named() {
        assert_eq!(chosen(&arguments(&[])).unwrap().len(), SAMPLES.len());
        let sms = ("sms".to_owned(), "order_confirmed".to_owned());
        assert_eq!(chosen(&arguments(&["sms"])).unwrap(), [sms]);
        let other = ("sms".to_owned(), "sign_in_code".to_owned());
        assert_eq!(chosen(&arguments(&["sms", "--template", "sign_in_code"])).unwrap(), [other]);
        assert!(chosen(&arguments(&["--template", "sign_in_code"])).is_err());
        let error = chosen(&arguments(&["fax"])).unwrap_err().to_string();
        assert!(error.ends_with("sms, email, wechat, push, internal"), "{error}");
    }
}
