//! Who may pass, and how often: before a body is read, before anything is looked up.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Permission;
use engine::Denied;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::App;
use crate::error::{self, Error};

/// What stands before one operation.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: App,
    pub(crate) permission: Permission,
}

/// Verifies the token and asks for the scope that the operation declares. The verified caller goes on with the request.
pub(crate) async fn authorize(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(origin) = gate.app.trusted_proxies.origin(&request) else {
        // The accept loop names the peer of every request; one without can not be counted for anybody.
        tracing::error!("A request came from nowhere");
        return error::internal().into_response();
    };
    request.extensions_mut().insert(origin);
    let Some(token) = bearer(request.headers()) else {
        tracing::info!(reason = "no bearer token", "A request was not authenticated");
        return error::unauthorized().into_response();
    };
    let verdict = tracing::debug_span!(target: "tollhouse::step", "token").in_scope(|| gate.app.engine.authenticate(token, origin.0));
    match verdict {
        // The engine has logged why.
        Err(Denied::Unauthorized) => error::unauthorized().into_response(),
        Err(Denied::Limited(limited)) => Error::from(limited).into_response(),
        Ok(caller) if caller.may(gate.permission) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(caller) => {
            tracing::info!(scope = gate.permission.as_str(), api_key_pair.id = %caller.actor().id, "A caller lacks a scope");
            error::forbidden().into_response()
        }
    }
}

/// The token of the one `Authorization` header. The scheme's case is free; two headers are an attempt to be read twice.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_bearer_token_is_read_in_any_case() {
        let check = |values: &[&'static str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        };
        check(&["Bearer a.b.c"], Some("a.b.c"));
        check(&["bearer a.b.c"], Some("a.b.c"));
        check(&["BEARER  a.b.c"], Some("a.b.c"));
        check(&[], None);
        check(&["Bearer"], None);
        check(&["Basic a.b.c"], None);
        check(&["a.b.c"], None);
        check(&["Bearer a.b.c", "Bearer d.e.f"], None);
    }
}
