//! One event as clients send it. Every member is held as it came, so that a wrong type costs that event a
//! rejection that names the field, never the whole request.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use utoipa::ToSchema;

/// An event of our own protocol. Members that are `null` count as absent, unknown members are ignored, and
/// of a member that is given twice the last one wins.
#[derive(Clone, Debug, Default, PartialEq, ToSchema)]
#[schema(example = json!({
    "event": "purchase", "id": "0193c2a4-7c1e-7b5e-9f43-2f1f6a0c9d11", "user_id": "u_42",
    "device_id": "9b2e5a1c-0f0e-4a53-8f53-6a3f0f5e7f10", "timestamp": "2026-11-23T10:15:30.250Z",
    "properties": {"amount": 49.9, "currency": "EUR", "plan": "pro"}
}))]
pub struct WireEvent {
    /// What happened: 1 to 200 characters. `$identify`, `$alias`, `$set` and `$groupidentify` carry identity
    /// or properties of persons and groups, and do not count as activity.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    pub event: Option<Value>,
    /// The event's own UUID. An event that is sent again under its id is counted once.
    #[schema(value_type = Option<String>, format = Uuid)]
    pub id: Option<Value>,
    /// Who did it, for senders with one kind of id: taken as `user_id` unless it equals `device_id`.
    /// One of the three ids is needed. `null`, `undefined`, `nan`, `0`, `none`, `anonymous`, `guest` and
    /// the empty text are nobody, in each of them.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub distinct_id: Option<Value>,
    /// The id that the application gave the person.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub user_id: Option<Value>,
    /// The client's own id of this browser or installation.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub device_id: Option<Value>,
    /// Of `$alias` only: the id that the person had before on a device, taken as `device_id` where the event has none.
    #[schema(value_type = Option<String>, max_length = 200)]
    pub previous_id: Option<Value>,
    /// The client's id of the visit.
    #[schema(value_type = Option<String>)]
    pub session_id: Option<Value>,
    /// When it happened, by the client's clock: RFC 3339, or seconds or milliseconds since 1970. Absent: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Value>,
    /// Anything about the event: up to 255 members, up to 5 levels deep.
    #[schema(value_type = Option<Object>)]
    pub properties: Option<Value>,
    /// Properties of the person, kept as the event's property `$set`.
    #[schema(value_type = Option<Object>)]
    pub set: Option<Value>,
    /// Properties of the person that hold only where the person has none of that name; kept as `$set_once`.
    #[schema(value_type = Option<Object>)]
    pub set_once: Option<Value>,
    /// Names of properties that the person loses; kept as `$unset`.
    #[schema(value_type = Option<Vec<String>>)]
    pub unset: Option<Value>,
    /// Numbers that are added to properties of the person; kept as `$add`.
    #[schema(value_type = Option<Object>)]
    pub add: Option<Value>,
    /// The groups that the event belongs to, such as `{"company": "acme"}`: type and key; kept as `$groups`.
    #[schema(value_type = Option<Object>)]
    pub groups: Option<Value>,
    /// Where it happened.
    #[schema(value_type = Option<WireContext>)]
    pub context: Option<Value>,
}

/// The names of an event's members.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Event,
    Id,
    DistinctId,
    UserId,
    DeviceId,
    PreviousId,
    SessionId,
    Timestamp,
    Properties,
    Set,
    SetOnce,
    Unset,
    Add,
    Groups,
    Context,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for WireEvent {
    fn deserialize<D: Deserializer<'de>>(object: D) -> Result<WireEvent, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = WireEvent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireEvent, A::Error> {
                let mut event = WireEvent::default();
                while let Some(name) = map.next_key()? {
                    let member = match name {
                        Member::Event => &mut event.event,
                        Member::Id => &mut event.id,
                        Member::DistinctId => &mut event.distinct_id,
                        Member::UserId => &mut event.user_id,
                        Member::DeviceId => &mut event.device_id,
                        Member::PreviousId => &mut event.previous_id,
                        Member::SessionId => &mut event.session_id,
                        Member::Timestamp => &mut event.timestamp,
                        Member::Properties => &mut event.properties,
                        Member::Set => &mut event.set,
                        Member::SetOnce => &mut event.set_once,
                        Member::Unset => &mut event.unset,
                        Member::Add => &mut event.add,
                        Member::Groups => &mut event.groups,
                        Member::Context => &mut event.context,
                        Member::Other => {
                            // Read like the others, so that what it must not be is refused alike.
                            map.next_value::<Value>()?;
                            continue;
                        }
                    };
                    *member = map.next_value()?;
                }
                Ok(event)
            }
        }
        object.deserialize_map(Members)
    }
}

/// Where an event happened. Page, locale, screen and time zone become the properties `$url`, `$referrer`,
/// `$title`, `$locale`, `$screen_width`, `$screen_height` and `$timezone` unless the event has those itself.
#[derive(Clone, Debug, Default, PartialEq, ToSchema)]
pub struct WireContext {
    /// The page.
    pub page: Option<WirePage>,
    /// The sending library.
    pub library: Option<WireLibrary>,
    /// BCP 47 tag, `en-GB`.
    pub locale: Option<String>,
    /// The screen, in CSS pixels.
    pub screen: Option<WireScreen>,
    /// IANA name, `Europe/Berlin`.
    pub timezone: Option<String>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, ToSchema)]
pub struct WirePage {
    /// Its whole address: path, host and campaign (`utm_source`, `utm_medium`, `utm_campaign`) are read from it.
    pub url: Option<String>,
    /// The address it was reached from.
    pub referrer: Option<String>,
    /// Its title.
    pub title: Option<String>,
}

/// A sending library.
#[derive(Clone, Debug, Default, PartialEq, ToSchema)]
pub struct WireLibrary {
    pub name: Option<String>,
    pub version: Option<String>,
}

/// A screen, in CSS pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, ToSchema)]
pub struct WireScreen {
    pub width: Option<f64>,
    pub height: Option<f64>,
}
