use domain_notification::{Failure, MailAddress, Outgoing, Verdict};
use lettre::{
    Message,
    message::{Mailbox, MultiPart, SinglePart},
};

/// A mail, with what it is called.
pub(crate) struct Mail {
    pub message: Message,
    /// `<message>@<domain>`, the `Message-ID` without its brackets.
    pub id: String,
}

/// The mail as it goes over the wire: text, and HTML if there is any, in the encodings that leave it ASCII.
///
/// Its `Date` is when it was to be sent, so that a repeat is the same mail.
pub(crate) fn mail(from: &Mailbox, to: &MailAddress, outgoing: &Outgoing) -> Result<Mail, Failure> {
    let rendered = &outgoing.rendered;
    let title = rendered.title.as_deref().filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Failure::new(Verdict::GiveUp, "no-title"))?;
    // A subject is one line: a line break in it would begin another header.
    let subject: String = title.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    let to = to.as_str().parse().map_err(|_| Failure::new(Verdict::GiveUp, "unusable-address"))?;
    let id = format!("{}@{}", outgoing.id, from.email.domain());
    let builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .date(outgoing.due_at.into())
        .message_id(Some(format!("<{id}>")));
    let content = rendered.content.clone();
    let message = match &rendered.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(content, html.clone())),
        None => builder.singlepart(SinglePart::plain(content)),
    };
    let message = message.map_err(|_| Failure::new(Verdict::GiveUp, "not-built"))?;
    Ok(Mail { message, id })
}

#[cfg(test)]
mod tests {
    use domain_channel::Category;
    use domain_notification::{Address, Rendered};
    use proptest::prelude::*;

    use super::*;

    fn formatted(title: &str, html: Option<&str>) -> String {
        let to: MailAddress = "ann@example.com".parse().unwrap();
        let outgoing = Outgoing {
            id: "01KA3Z5QJ8M4T2R7V9X1C6B0NG".parse().unwrap(),
            address: Address::Mail(to.clone()),
            rendered: Rendered {
                title: Some(title.into()),
                content: "您好, Ann".into(),
                html: html.map(Into::into),
                ..Rendered::default()
            },
            category: Category::Order,
            accepted_at: jiff::Timestamp::UNIX_EPOCH,
            due_at: "2026-11-24T10:00:00Z".parse().unwrap(),
        };
        let from = Mailbox::new(Some("民宿".into()), "noreply@minsu.example".parse().unwrap());
        let mail = mail(&from, &to, &outgoing).unwrap();
        String::from_utf8(mail.message.formatted()).unwrap()
    }

    fn headers(mail: &str) -> Vec<&str> {
        let head = mail.split("\r\n\r\n").next().unwrap();
        head.split("\r\n").filter(|line| !line.starts_with(' ')).collect()
    }

    #[test]
    fn a_mail_has_both_forms_and_is_ascii() {
        let mail = formatted("订单已确认", Some("<p>您好</p>"));
        assert!(mail.is_ascii());
        assert!(mail.contains("Subject: =?utf-8?b?6K6i5Y2V5bey56Gu6K6k?=\r\n"), "{mail}");
        assert!(mail.contains("From: =?utf-8?b?5rCR5a6/?= <noreply@minsu.example>\r\n"), "{mail}");
        assert!(mail.contains("Message-ID: <01KA3Z5QJ8M4T2R7V9X1C6B0NG@minsu.example>\r\n"), "{mail}");
        assert!(mail.contains("Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n"), "{mail}");
        assert!(mail.contains("Content-Type: multipart/alternative;"), "{mail}");
        let (text, html) = (mail.find("text/plain; charset=utf-8"), mail.find("text/html; charset=utf-8"));
        assert!(text.is_some() && text < html, "the better form last (RFC 2046): {mail}");
    }

    #[test]
    fn without_html_there_is_one_part() {
        let mail = formatted("x", None);
        assert!(mail.contains("Content-Type: text/plain; charset=utf-8\r\n"), "{mail}");
        assert!(!mail.contains("multipart"), "{mail}");
    }

    proptest! {
        #[test]
        fn no_title_adds_a_header(title in "\\PC{0,40}[\r\n]{1,3}(Bcc: eve@example\\.com)?.{0,300}") {
            let mail = formatted(&title, None);
            let names: Vec<&str> = headers(&mail).iter().filter_map(|line| line.split(':').next()).collect();
            let expected =
                ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
            prop_assert_eq!(names, expected, "{}", mail);
        }
    }
}
