//! Access tokens: signed, short, stateless. HS256 JWTs that say who; what somebody may do is asked from the
//! control database on every request, so a removed member is out at once.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::problem::Problem;

/// Lifetime of an access token in seconds.
pub const ACCESS_TOKEN_LIFE_S: u32 = 900;

/// Who issues the tokens and for whom: ourselves.
const ISSUER: &str = "footfall";
const AUDIENCE: &str = "footfall-api";

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    /// The session: the family of its refresh tokens.
    sid: Uuid,
    iss: String,
    aud: String,
    /// Seconds since 1970.
    iat: i64,
    exp: i64,
}

/// What a valid token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who signed in.
    pub user: Uuid,
    /// The session: the family of its refresh tokens.
    pub session: Uuid,
    /// When the token ends, UTC milliseconds.
    pub until: i64,
}

/// 401 `token_expired`.
pub fn expired() -> Problem {
    Problem {
        code: "token_expired".to_owned(),
        ..Problem::unauthenticated("the access token has expired: refresh it")
    }
}

/// Issues and reads access tokens. Cheap to clone.
#[derive(Clone)]
pub struct AccessTokens {
    signing: EncodingKey,
    checking: DecodingKey,
}

impl AccessTokens {
    /// Tokens signed with `secret`: 32 random bytes or more, the same for every process of an installation.
    pub fn new(secret: &[u8]) -> AccessTokens {
        AccessTokens {
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
        }
    }

    /// A token for `user` in the session `session`, good for [`ACCESS_TOKEN_LIFE_S`].
    pub fn issue(&self, user: Uuid, session: Uuid, now_ms: i64) -> Result<String, Problem> {
        let now_s = now_ms.div_euclid(1000);
        let claims = Claims {
            sub: user,
            sid: session,
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now_s,
            exp: now_s + i64::from(ACCESS_TOKEN_LIFE_S),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(Problem::internal)
    }

    /// Who holds a valid token, in which session, and for how long.
    pub fn read(&self, token: &str, now_ms: i64) -> Result<Held, Problem> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The crate would read the machine's clock; ours is an argument.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.checking, &validation)
            .map_err(|_| Problem::unauthenticated("the access token is not valid: sign in again"))?
            .claims;
        if claims.exp <= now_ms.div_euclid(1000) {
            return Err(expired());
        }
        Ok(Held {
            user: claims.sub,
            session: claims.sid,
            until: claims.exp.saturating_mul(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_user_for_fifteen_minutes_and_only_to_its_own_installation() {
        let tokens = AccessTokens::new(&[7; 32]);
        let (user, session) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let token = tokens.issue(user, session, 1_000_000).unwrap();
        let until = 1_900_000;
        assert_eq!(tokens.read(&token, 1_899_999), Ok(Held { user, session, until }));
        assert_eq!(tokens.read(&token, 1_900_000).unwrap_err().code, "token_expired");
        assert_eq!(
            AccessTokens::new(&[8; 32])
                .read(&token, 1_000_000)
                .unwrap_err()
                .code,
            "unauthenticated"
        );
        assert_eq!(tokens.read("a.b.c", 0).unwrap_err().status, 401);
    }
}
