//! Pages of lists: keyset positions, not offsets, so that a cursor stays valid while rows come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::Scope;

/// Which way a cursor reads from its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards the end of the list.
    Next,
    /// Towards its beginning.
    Previous,
}

/// A position in a list: the sort key of the row beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Lists sorted newest first: `created_at` in microseconds, then id.
    Moment(i64, Uuid),
    /// The same for lists whose ids are text.
    NamedMoment(i64, String),
    /// Catalogues sorted by a text id.
    Text(String),
}

/// A cursor, opaque to clients: base64url of direction, position and, in the lists of a merchant account, that account; at most 1,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which way to read.
    pub direction: Direction,
    /// From where, exclusive.
    pub position: Position,
}

/// Longest cursor that is read, from the API's document.
const CURSOR_CHARACTERS_MAX: usize = 1000;

/// Stands between a position and its account. No id of an account has one in it.
const ACCOUNT_MARK: char = '@';

impl Cursor {
    /// Writes the cursor of a list of the instance down for a client.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.text())
    }

    /// Writes the cursor of a merchant account's list down. It is of no use in another account.
    pub fn encode_for(&self, scope: &Scope) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{ACCOUNT_MARK}{}", self.text(), scope.account()))
    }

    fn text(&self) -> String {
        let direction = match self.direction {
            Direction::Next => 'n',
            Direction::Previous => 'p',
        };
        match &self.position {
            Position::Moment(micros, id) => format!("{direction}m{micros}.{}", id.simple()),
            Position::NamedMoment(micros, id) => format!("{direction}d{micros}.{id}"),
            Position::Text(id) => format!("{direction}t{id}"),
        }
    }

    /// Reads what a client sends back to a list of the instance; `None` for anything we did not write.
    pub fn decode(text: &str) -> Option<Self> {
        Self::read(&decoded(text)?)
    }

    /// Reads what a client sends back to a merchant account's list; `None` for anything we did not write for this account.
    pub fn decode_for(text: &str, scope: &Scope) -> Option<Self> {
        let text = decoded(text)?;
        let (position, account) = text.rsplit_once(ACCOUNT_MARK)?;
        if account == scope.account().as_str() { Self::read(position) } else { None }
    }

    fn read(text: &str) -> Option<Self> {
        let (direction, rest) = match text.split_at_checked(1)? {
            ("n", rest) => (Direction::Next, rest),
            ("p", rest) => (Direction::Previous, rest),
            _ => return None,
        };
        let position = match rest.split_at_checked(1)? {
            ("m", rest) => {
                let (micros, id) = rest.split_once('.')?;
                Position::Moment(micros.parse().ok()?, Uuid::try_parse(id).ok()?)
            }
            ("d", rest) => {
                let (micros, id) = rest.split_once('.')?;
                Position::NamedMoment(micros.parse().ok()?, id.to_owned())
            }
            ("t", rest) => Position::Text(rest.to_owned()),
            _ => return None,
        };
        Some(Self { direction, position })
    }
}

fn decoded(text: &str) -> Option<String> {
    if text.len() > CURSOR_CHARACTERS_MAX {
        return None;
    }
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// What a list call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to 100 rows.
    pub limit: u32,
    /// Where to go on; null for the first page.
    pub cursor: Option<Cursor>,
}

/// One page, in list order whichever way it was read.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Leads to the rows after these; null on the last page.
    pub next: Option<Cursor>,
    /// Leads to the rows before these; null on the first page.
    pub previous: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of up to `limit + 1` rows that were read from the cursor onwards, in reading order. The extra row, which is not shown, says that there are more.
    pub fn from_rows(request: &PageRequest, mut rows: Vec<T>, position: impl Fn(&T) -> Position) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let backwards = request.cursor.as_ref().is_some_and(|c| c.direction == Direction::Previous);
        if backwards {
            rows.reverse();
        }
        // Behind us there is at least the row that the cursor was made from.
        let behind = request.cursor.is_some() && !rows.is_empty();
        let (has_next, has_previous) = if backwards { (behind, more) } else { (more, behind) };
        let cursor = |row: Option<&T>, direction| row.map(|row| Cursor { direction, position: position(row) });
        Self {
            next: has_next.then(|| cursor(rows.last(), Direction::Next)).flatten(),
            previous: has_previous.then(|| cursor(rows.first(), Direction::Previous)).flatten(),
            items: rows,
        }
    }

    /// The same page of something else.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next, previous: self.previous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r42_a_cursor_of_one_account_is_none_in_another() {
        let scope = |account| Scope::of(crate::MerchantAccountId::parse(account).unwrap());
        let cursor = Cursor { direction: Direction::Next, position: Position::Moment(7, Uuid::from_u128(7)) };
        let text = cursor.encode_for(&scope("shop-a"));
        assert_eq!(Cursor::decode_for(&text, &scope("shop-a")), Some(cursor.clone()));
        for other in ["shop-b", "shop", "a", "default"] {
            assert_eq!(Cursor::decode_for(&text, &scope(other)), None, "{other}");
        }
        assert_eq!(Cursor::decode(&text), None, "nor in a list of the instance");
        assert_eq!(Cursor::decode_for(&cursor.encode(), &scope("shop-a")), None, "and the other way round");
    }

    #[test]
    fn cursors_survive_the_trip_and_strangers_are_refused() {
        for position in [
            Position::Moment(1_700_000_000_000_000, Uuid::from_u128(7)),
            Position::NamedMoment(1_700_000_000_000_000, "shop.1".into()),
            Position::Text("adyen-ideal".into()),
        ] {
            for direction in [Direction::Next, Direction::Previous] {
                let cursor = Cursor { direction, position: position.clone() };
                assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
            }
        }
        for stranger in ["", "AAAA", "%%%", "bm0", &"A".repeat(1001)] {
            assert_eq!(Cursor::decode(stranger), None, "{stranger}");
        }
    }
}
