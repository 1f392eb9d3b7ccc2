//! Roles.

use domain::page::{Page, PageRequest, Position};
use domain::role::Role;
use domain::{RoleId, Timestamp};
use uuid::Uuid;

use crate::row::{self, At};
use crate::{StoreError, Tx};

macro_rules! columns {
    () => {
        "id, name, slug, description, permissions, created_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO roles (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING");
    ALL_ROLES = concat!("SELECT ", columns!(), " FROM roles ORDER BY created_at DESC, id DESC");
    [newest_first] {
        LIST = concat!("SELECT ", columns!(), " FROM roles WHERE 1 = 1");
    }
}

#[derive(sqlx::FromRow)]
struct RoleRow {
    id: Uuid,
    name: String,
    slug: String,
    description: String,
    permissions: String,
    created_at: i64,
}

/// Adds a role; `false` if its slug or id is taken.
pub async fn insert(tx: &mut Tx, role: &Role) -> Result<bool, StoreError> {
    let permissions = row::list(role.permissions.iter());
    let rows = run!(tx, execute, INSERT, role.id.0, &role.name, &role.slug, &role.description, permissions, role.created_at.micros())?;
    Ok(rows > 0)
}

/// Roles newest first.
pub async fn list(tx: &mut Tx, request: &PageRequest) -> Result<Page<Role>, StoreError> {
    let window = LIST.window(request)?;
    let rows = run!(tx, all RoleRow, window.statement, window.created_at, window.id, window.rows)?;
    let roles = rows.into_iter().map(Role::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::from_rows(request, roles, |role| Position::Moment(role.created_at.micros(), role.id.0)))
}

/// Every role, newest first: for the snapshot.
pub async fn all(tx: &mut Tx) -> Result<Vec<Role>, StoreError> {
    run!(tx, all RoleRow, ALL_ROLES)?.into_iter().map(Role::try_from).collect()
}

impl TryFrom<RoleRow> for Role {
    type Error = StoreError;

    fn try_from(row: RoleRow) -> Result<Self, StoreError> {
        let at = At { table: "roles", id: &row.id };
        Ok(Self {
            id: RoleId(row.id),
            permissions: at.list("permissions", &row.permissions, |word| Some(word.to_owned()))?.into_iter().collect(),
            name: row.name,
            slug: row.slug,
            description: row.description,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}
