//! Roles.

use domain::role::Role;
use serde::Serialize;

/// `Role` of the API's document.
#[derive(Serialize)]
pub(crate) struct WireRole {
    r#type: &'static str,
    id: String,
    name: String,
    slug: String,
    description: String,
    permissions: WirePermissions,
    assignable_to: [&'static str; 1],
    applies_to: [&'static str; 0],
    is_standalone_assignable: bool,
}

/// `PermissionSet` of the API's document.
#[derive(Serialize)]
struct WirePermissions {
    allow: Vec<String>,
}

impl WireRole {
    /// The wire form of a role. There are no users here, so key pairs are all that a role is given to, and none is an addition to another.
    pub(crate) fn of(role: &Role) -> Self {
        Self {
            r#type: "role",
            id: role.id.to_string(),
            name: role.name.clone(),
            slug: role.slug.clone(),
            description: role.description.clone(),
            permissions: WirePermissions { allow: role.permissions.iter().map(str::to_owned).collect() },
            assignable_to: ["api-key-pair"],
            applies_to: [],
            is_standalone_assignable: true,
        }
    }
}
