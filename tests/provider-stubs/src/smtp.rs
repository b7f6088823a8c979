//! A mail server: SMTP (RFC 5321) without TLS, with AUTH PLAIN (RFC 4954).
//!
//! What goes wrong with a mail is decided when it begins: a throttle is greylisting at RCPT, an invalid address is
//! unknown there, an account without credit is refused at MAIL, a code is the reply to RCPT as it is (`452 4.2.2 full`);
//! what hangs or is cut does so after the content.

use std::{borrow::Cow, sync::Arc};

use data_encoding::BASE64;
use mail_parser::{Address, MessageParser, MessagePart};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{Desk, Fault, Received, Refusal, check::is_same};

/// The name that the stub lets in.
pub const SMTP_USERNAME: &str = "smtp-stub";

/// Its password.
pub const SMTP_PASSWORD: &str = "smtp-stub-secret";

/// Bytes of a line, of commands and content alike (RFC 5321, section 4.5.3.1.6, allows 1,000).
const MAX_LINE_BYTES: u64 = 1_000;

/// Bytes of a mail.
const MAX_MAIL_BYTES: usize = 10 * 1_024 * 1_024;

/// Takes connections until it is dropped.
pub(crate) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Arc::clone(&desk);
                // How a dialogue ends is its client's affair.
                tokio::spawn(async move { converse(stream, &desk).await });
            }
            Err(error) => eprintln!("the mail stub has missed a connection: {error}"),
        }
    }
}

async fn converse(mut stream: TcpStream, desk: &Desk) -> std::io::Result<()> {
    let (reader, writer) = stream.split();
    Dialogue { reader: BufReader::new(reader), writer, desk, is_let_in: false }.run().await
}

struct Dialogue<'a, R, W> {
    reader: R,
    writer: W,
    desk: &'a Desk,
    is_let_in: bool,
}

/// A mail that has begun.
struct Begun {
    fault: Option<Fault>,
    to: Vec<String>,
}

impl<R: AsyncBufRead + Unpin, W: AsyncWrite + Unpin> Dialogue<'_, R, W> {
    async fn run(mut self) -> std::io::Result<()> {
        self.say("220 stub ESMTP").await?;
        let mut begun: Option<Begun> = None;
        while let Some(line) = self.line().await? {
            let Ok(line) = String::from_utf8(line) else {
                self.say("500 5.5.2 not ASCII").await?;
                continue;
            };
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.say("250-stub\r\n250-8BITMIME\r\n250 AUTH PLAIN").await?,
                "HELO" | "NOOP" => self.say("250 stub").await?,
                "RSET" => {
                    begun = None;
                    self.say("250 2.0.0 forgotten").await?;
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                "AUTH" => self.login(rest).await?,
                "MAIL" if !self.is_let_in => self.say("530 5.7.0 authentication required").await?,
                "MAIL" => begun = self.begin(rest).await?,
                "RCPT" => match &mut begun {
                    Some(mail) => self.recipient(rest, mail).await?,
                    None => self.say("503 5.5.1 MAIL first").await?,
                },
                "DATA" => match begun.take() {
                    Some(mail) if !mail.to.is_empty() => {
                        if !self.content(&mail).await? {
                            return Ok(());
                        }
                    }
                    _ => self.say("503 5.5.1 RCPT first").await?,
                },
                _ => self.say("502 5.5.1 not known here").await?,
            }
        }
        Ok(())
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.writer.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.writer.flush().await
    }

    /// A line without its end; none at the end of the connection.
    async fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(Some(line.to_vec())),
            None if read == 0 => Ok(None),
            None => Err(std::io::Error::other("a line without an end")),
        }
    }

    async fn login(&mut self, rest: &str) -> std::io::Result<()> {
        let expected = format!("\0{SMTP_USERNAME}\0{SMTP_PASSWORD}");
        let given = rest.strip_prefix("PLAIN ").and_then(|given| BASE64.decode(given.as_bytes()).ok());
        let given = given.and_then(|given| String::from_utf8(given).ok()).unwrap_or_default();
        self.is_let_in = is_same(&given, &expected);
        let answer = if self.is_let_in { "235 2.7.0 welcome" } else { "535 5.7.8 not you" };
        self.say(answer).await
    }

    async fn begin(&mut self, rest: &str) -> std::io::Result<Option<Begun>> {
        self.desk.count("smtp/send");
        let fault = self.desk.next_fault("smtp");
        let refusal = match &fault {
            _ if path(rest, "FROM:").is_none() => Some("501 5.1.7 not an address"),
            Some(Fault::ServerError) => Some("421 4.3.0 closing"),
            Some(Fault::Refuse(Refusal::NoCredit)) => Some("550 5.7.1 your account is suspended"),
            _ => None,
        };
        self.say(refusal.unwrap_or("250 2.1.0 go on")).await?;
        Ok(refusal.is_none().then(|| Begun { fault, to: Vec::new() }))
    }

    async fn recipient(&mut self, rest: &str, mail: &mut Begun) -> std::io::Result<()> {
        let answer = match (path(rest, "TO:"), &mail.fault) {
            (None, _) => "501 5.1.3 not an address",
            (_, Some(Fault::Refuse(Refusal::Throttle))) => "450 4.7.1 greylisted, try again",
            (_, Some(Fault::Refuse(Refusal::InvalidNumber))) => "550 5.1.1 no such user",
            (_, Some(Fault::Refuse(Refusal::Code(reply)))) => reply,
            (Some(to), _) => {
                mail.to.push(to.to_owned());
                "250 2.1.5 go on"
            }
        };
        let answer = answer.to_owned();
        self.say(&answer).await
    }

    /// Reads the content, keeps it and answers, as the fault has it. Says whether the dialogue goes on.
    async fn content(&mut self, mail: &Begun) -> std::io::Result<bool> {
        self.say("354 go on").await?;
        let mut content = Vec::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(false) };
            if line == b"." {
                break;
            }
            // The client doubles a dot at the beginning of a line (section 4.5.2).
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            content.extend_from_slice(b"\r\n");
            if content.len() > MAX_MAIL_BYTES {
                self.say("552 5.3.4 too large").await?;
                return Ok(false);
            }
        }
        let is_kept = !matches!(mail.fault, Some(Fault::Hang | Fault::CutReply));
        if is_kept && !self.keep(&mail.to, &content) {
            self.say("554 5.6.0 not a mail").await?;
            return Ok(true);
        }
        match mail.fault {
            Some(Fault::Hang | Fault::HangAfterAccept) => std::future::pending().await,
            Some(Fault::CutReply | Fault::CutReplyAfterAccept) => Ok(false),
            _ => self.say("250 2.0.0 queued").await.map(|()| true),
        }
    }

    fn keep(&self, to: &[String], content: &[u8]) -> bool {
        let Some(mail) = MessageParser::default().parse(content) else { return false };
        let is_sender = |from: &Address<'_>| from.first().is_some_and(|from| from.address().is_some());
        if !mail.from().is_some_and(is_sender) || mail.date().is_none() {
            return false;
        }
        // Text goes over the wire with line ends of its own (RFC 2046, section 4.1.1).
        let own = |text: Option<Cow<'_, str>>| text.map(|text| text.replace("\r\n", "\n"));
        for to in to {
            self.desk.keep(Received {
                provider: "smtp".into(),
                to: to.clone(),
                title: mail.subject().map(str::to_owned),
                content: own(mail.body_text(0)),
                // The parser makes HTML of text where there is none.
                html: own(mail
                    .html_bodies()
                    .any(MessagePart::is_text_html)
                    .then(|| mail.body_html(0))
                    .flatten()),
                message_id: mail.message_id().and_then(|id| id.split('@').next()).map(str::to_owned),
                ..Received::default()
            });
        }
        true
    }
}

/// The address of `FROM:<…>` or `TO:<…>`, parameters behind it left aside.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, tail) = rest.split_at_checked(keyword.len())?;
    let address = tail.strip_prefix('<')?.split('>').next()?;
    (head.eq_ignore_ascii_case(keyword) && address.contains('@')).then_some(address)
}
