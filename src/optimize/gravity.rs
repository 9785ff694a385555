//! The part of an image that stays when it is cropped.

use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The part of the image that stays when [`Fit::Cover`](crate::Fit::Cover) crops, in the upright image.
///
/// ```
/// use lablink_storage::Gravity;
///
/// assert_eq!("northeast".parse(), Ok(Gravity::NorthEast));
/// assert_eq!("0.25,0.6".parse(), Ok(Gravity::Point(0.25, 0.6)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Gravity {
    /// The middle.
    #[default]
    Center,
    /// The top edge.
    North,
    /// The top right corner.
    NorthEast,
    /// The right edge.
    East,
    /// The bottom right corner.
    SouthEast,
    /// The bottom edge.
    South,
    /// The bottom left corner.
    SouthWest,
    /// The left edge.
    West,
    /// The top left corner.
    NorthWest,
    /// The part that draws the eye: edges, strong colours and skin. The same for the same picture every time.
    Attention,
    /// A point of the image, 0 to 1 from the left and from the top, as near to the middle of the crop as the
    /// image allows.
    Point(f64, f64),
}

/// The names, as in JSON and on the command line.
const NAMES: [(&str, Gravity); 10] = [
    ("center", Gravity::Center),
    ("north", Gravity::North),
    ("northeast", Gravity::NorthEast),
    ("east", Gravity::East),
    ("southeast", Gravity::SouthEast),
    ("south", Gravity::South),
    ("southwest", Gravity::SouthWest),
    ("west", Gravity::West),
    ("northwest", Gravity::NorthWest),
    ("attention", Gravity::Attention),
];

/// A text that names no gravity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected center, attention, a direction such as north or southwest, or a point such as 0.3,0.5"
)]
#[non_exhaustive]
pub struct InvalidGravity;

impl FromStr for Gravity {
    type Err = InvalidGravity;

    fn from_str(text: &str) -> Result<Self, InvalidGravity> {
        if let Some((x, y)) = text.split_once(',') {
            let number = |text: &str| text.trim().parse().map_err(|_| InvalidGravity);
            return Ok(Self::Point(number(x)?, number(y)?));
        }
        let named = NAMES
            .iter()
            .find(|(name, _)| *name == text.replace('-', ""));
        named.map(|&(_, gravity)| gravity).ok_or(InvalidGravity)
    }
}

/// From a name, or a point as `[x, y]`.
impl<'de> Deserialize<'de> for Gravity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Name(String),
            Point(f64, f64),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Name(name)) => name.parse().map_err(D::Error::custom),
            Ok(Form::Point(x, y)) => Ok(Self::Point(x, y)),
            Err(_) => Err(D::Error::custom(InvalidGravity)),
        }
    }
}
