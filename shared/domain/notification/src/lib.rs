//! Notifications: accepted once, sent once, by whichever provider can.
//!
//! A request becomes one [`Message`] for each receiver ([`accept`](accept())), which waits for its turn or its time ([`plan`],
//! [`sweep`]) and is then brought to a provider ([`Dispatch`]): the first of its channel that can take it ([`order`],
//! [`Health`]). What providers tell afterwards changes its status ([`record`]).
//!
//! Everything may be repeated, late, several times at once and after a crash at any point.

mod accept;
mod address;
mod broadcast;
mod cancel;
mod channels;
mod dispatch;
mod inbox;
mod message;
mod preferences;
mod provider;
mod redrive;
mod report;
mod reports;
mod routing;
mod rules;
mod schedule;
mod store;
mod template;
mod templates;
mod token;

#[cfg(test)]
mod fixtures;

pub use accept::{
    AcceptError, Checked, MAX_AHEAD, MAX_PARAMS_BYTES, MAX_RECEIVERS, NewNotification, Taken, accept, check,
};
pub use address::{
    Address, Contacts, Device, InvalidAddress, MAX_DEVICES, MailAddress, OpenId, PhoneNumber, Receiver,
};
pub use broadcast::{
    Audience, Broadcast, BroadcastAdded, BroadcastCreated, BroadcastError, BroadcastFailure,
    BroadcastFigures, BroadcastKey, BroadcastShelf, BroadcastStatus, BroadcastStep, BroadcastSteps,
    Broadcasts, CancelBroadcastError, CreateBroadcastError, Directory, DirectoryError, GuestGroup,
    GuestListing, InvalidGroup, NewBroadcast, PAGES_PER_STEP, Stepped, cancel_broadcast, check_broadcast,
    create_broadcast, take_step,
};
pub use cancel::{CancelError, Unwanted, cancel, cancel_ahead};
pub use channels::{
    BreakerConfig, ChannelConfig, Channels, Delivery, InvalidChannels, MAX_PER_DAY, MAX_PROVIDERS,
    MAX_RATE_PER_SECOND, MAX_TIMEOUT, MAX_WEIGHT, ProviderConfig, ProviderKind,
};
pub use dispatch::{Dispatch, DispatchError, Dispatched, Gateway, MAX_ATTEMPTS};
pub use inbox::{INBOX_KEPT_FOR, Inbox, InboxEntry, InboxPosition, MAX_UNREAD};
pub use message::{KEPT_FOR, LEASE, MAX_ERROR_CHARS, Message, State, Status, WrongState, message_id};
pub use preferences::{
    DigestHour, InvalidHour, MARKETING_QUIET, Preferences, QuietHours, Ruling, SHANGHAI, may_opt_out, rule,
};
pub use provider::{Accepted, Failure, MAX_CODE_CHARS, Outcome, Outgoing, Provider, Verdict};
pub use redrive::{
    DeadLetterBox, Letter, MAX_EXAMPLES, MAX_REDRIVEN, MAX_SCANNED, Redrive, RedriveError, RedriveFilter,
    Redriven, redrive,
};
pub use report::{DeliveryReport, Fate, Reported};
pub use reports::{Recorded, References, record};
pub use routing::{Health, order};
pub use rules::{
    Action, Consequence, MAX_OFFSET, MAX_RULE_PARAMS, MAX_RULES, RULE_SCOPE, Rule, RuleShelf, Unmatched, When,
};
pub use schedule::{
    DUE_SHARDS, Due, DueMessages, LOOKAHEAD, MAX_DELAY, Plan, Swept, WAKE_AHEAD, WakeError, due_shard, plan,
    sweep, wake,
};
pub use store::{
    Added, Caps, DeadLetters, Digests, DispatchQueue, GuestProfile, Guests, MessagePosition, MessageShelf,
    MessageStore, QueueError, Schedules, Wake,
};
pub use template::{
    Fault, FilledTemplate, InvalidLanguage, Language, MAX_CONTENT_BYTES, MAX_LANGUAGES, MAX_LIST_ENTRIES,
    MAX_TEXT_CHARS, MAX_TITLE_CHARS, MAX_VARIABLES, ParamValue, Params, ProviderParam, ProviderTemplate,
    Rendered, Renderer, Template, TemplateReader, TemplateRef, TemplateText, TemplateVersion, Variable,
    VariableKind,
};
pub use templates::{
    ChangeTemplateError, CreateTemplateError, MAX_DESCRIPTION_CHARS, MAX_PROVIDER_ID_CHARS,
    MAX_PROVIDER_TEMPLATES, MAX_TEMPLATE_NAME_CHARS, MAX_VARIABLE_NAME_CHARS, NewTemplate, TemplateChange,
    TemplateDraft, TemplateShelf, change_template, create_template, publish_version,
};
pub use token::{SharedToken, SharedTokens};
