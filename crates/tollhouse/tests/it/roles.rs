//! `/roles`

use serde_json::json;

use crate::support::{assert_uuid, on_each_engine};

#[tokio::test]
async fn the_built_in_roles_are_listed() {
    on_each_engine(async |server| {
        let page = server.merchant().get("/roles").await.expect(200);
        let mut slugs: Vec<&str> = page["items"].as_array().unwrap().iter().map(|role| role["slug"].as_str().unwrap()).collect();
        slugs.sort_unstable();
        assert_eq!(slugs, ["full-access", "processing-only", "reporting", "system-management-only"]);
        let full = page["items"].as_array().unwrap().iter().find(|role| role["slug"] == "full-access").unwrap();
        assert_uuid(&full["id"]);
        assert_eq!(full["type"], "role");
        assert_eq!(full["permissions"], json!({ "allow": ["*.read", "*.write", "embed"] }));
        assert_eq!(
            (&full["assignable_to"], &full["applies_to"], &full["is_standalone_assignable"]),
            (&json!(["api-key-pair"]), &json!([]), &json!(true))
        );
        let first = server.merchant().get("/roles?limit=3").await.expect(200);
        let rest = server.merchant().get(&format!("/roles?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
        assert_eq!((rest["items"].as_array().unwrap().len(), rest["next_cursor"].is_null()), (1, true));
        server.with_scopes(&["*.write"]).get("/roles").await.problems(403, "forbidden");
    })
    .await;
}
