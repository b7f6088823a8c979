//! Notifications as the API spells them: requests, views, problems.

mod broadcast;
mod inbox;
mod notification;
mod preferences;
mod problem;
mod responses;
mod rule;
mod template;

pub use broadcast::{
    BroadcastCursor, BroadcastList, BroadcastProgressView, BroadcastView, DeadLetterDepth, DeadLetterDepths,
    RedriveExample, RedriveFilterRequest, RedriveRequest, RedriveView,
};
pub use inbox::{
    InboxCursor, InboxEntryId, InboxEntryView, InboxList, InvalidInboxEntryId, ReadAllRequest, UnreadView,
    inbox_entry_not_found,
};
pub use notification::{
    AcceptedItem, AcceptedView, DryRunView, NotificationCursor, NotificationList, NotificationReceivers,
    NotificationView, SendNotificationRequest, SendOrder,
};
pub use preferences::{
    DeviceId, DeviceView, GuestContactsDocument, InvalidDeviceId, NotificationPreferencesDocument, OptOut,
    PushPlatform, QuietHoursView, RegisterDeviceRequest, device_not_found, invalid_token, push_not_available,
};
pub use problem::{
    accept_problem, broadcast_not_found, cancel_broadcast_problem, cancel_problem, create_broadcast_problem,
    notification_not_found, queue_problem, redrive_problem,
};
pub use responses::Acceptance;
pub use rule::{
    FaultView, NotificationRuleAction, NotificationRuleActionType, NotificationRuleCursor,
    NotificationRuleList, NotificationRuleRequest, NotificationRuleTime, NotificationRuleView,
    TriedNotificationRuleView, TriedOutcome, TryNotificationRuleRequest, notification_rule_not_found,
};
pub use template::{
    CreateNotificationTemplateRequest, NotificationParam, NotificationPreviewView,
    NotificationTemplateCursor, NotificationTemplateDraft, NotificationTemplateList,
    NotificationTemplateVersionView, NotificationTemplateView, NotificationText, NotificationVariable,
    PatchNotificationTemplateRequest, Preview, PreviewNotificationTemplateRequest, PreviewOf,
    ProviderParamView, ProviderTemplateView, TestNotificationTemplateRequest, TestSendView, faulty, in_draft,
    notification_template_not_found,
};
