//! Tokens, kept in memory: every request shows one, and must not cost a read of the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use innkeeper_model::access::{Role, Secret, is_secret};
use innkeeper_model::id::{Digest, TenantId, TokenId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::time::Timestamp;
use innkeeper_store::{Store, StoreError, Token};
use subtle::ConstantTimeEq as _;

use crate::error::RunnerError;
use crate::task_runner::TaskRunner;

/// Tokens of one tenant at most: all of them are kept in memory.
const TOKENS_MAX: usize = 100;

/// The longest name of a token, in characters.
const NAME_CHARS_MAX: usize = 200;

/// How stale the stored time of the last use may be.
const LAST_USE_PAUSE: Duration = Duration::from_mins(5);

/// Who shows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant; `None` is the operator.
    pub tenant: Option<TenantId>,
    /// What may be done.
    pub role: Role,
    /// The token's id.
    pub token: TokenId,
    /// The token's name.
    pub name: String,
}

/// All tokens, found by the first bytes of their digests.
#[derive(Debug, Default)]
pub(crate) struct Tokens(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_digest: HashMap<[u8; 8], Vec<Arc<Known>>>,
    /// How many of them are the operator's.
    operators: usize,
}

#[derive(Debug)]
struct Known {
    token: Token,
    last_used_at: Mutex<Option<Timestamp>>,
}

impl Tokens {
    /// The tokens that are stored.
    pub(crate) async fn load(store: &Store) -> Result<Self, StoreError> {
        let tokens = Self::default();
        store.tokens().await?.into_iter().for_each(|token| tokens.keep(token));
        Ok(tokens)
    }

    /// Has requests from now on find `token`, and no longer the one with its id.
    fn keep(&self, token: Token) {
        self.forget(token.tenant.as_ref(), token.id);
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let last_used_at = Mutex::new(token.last_used_at);
        tokens.operators += usize::from(token.tenant.is_none());
        let place = place(&token.digest);
        tokens.by_digest.entry(place).or_default().push(Arc::new(Known { token, last_used_at }));
    }

    fn forget(&self, tenant: Option<&TenantId>, id: TokenId) {
        self.retain(|token| token.id != id || token.tenant.as_ref() != tenant);
    }

    /// Has no token of the tenant be good any more.
    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        self.retain(|token| token.tenant.as_ref() != Some(tenant));
    }

    fn retain(&self, keep: impl Fn(&Token) -> bool) {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Index { by_digest, operators } = &mut *tokens;
        by_digest.retain(|_, known| {
            known.retain(|known| {
                let is_kept = keep(&known.token);
                *operators -= usize::from(!is_kept && known.token.tenant.is_none());
                is_kept
            });
            !known.is_empty()
        });
    }

    /// The token with this digest. How long it takes does not depend on where digests differ after their first bytes,
    /// and those say nothing of the secret.
    fn find(&self, digest: &Digest) -> Option<Arc<Known>> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Arc<Known>| known.token.digest.as_bytes().ct_eq(digest.as_bytes()).into();
        tokens.by_digest.get(&place(digest))?.iter().find(same).cloned()
    }

    fn of(&self, tenant: Option<&TenantId>) -> Vec<Token> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = tokens.by_digest.values().flatten();
        let of_tenant = all.filter(|known| known.token.tenant.as_ref() == tenant);
        let mut found: Vec<_> = of_tenant.map(|known| known.current()).collect();
        found.sort_unstable_by_key(|token| token.id);
        found
    }
}

impl Known {
    fn current(&self) -> Token {
        let last_used_at = *self.last_used_at.lock().unwrap_or_else(PoisonError::into_inner);
        Token { last_used_at, ..self.token.clone() }
    }

    /// Notes a use; whether it is to be stored.
    fn use_at(&self, now: Timestamp) -> bool {
        let mut last = self.last_used_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_stale = last.is_none_or(|last| now.since(last) >= LAST_USE_PAUSE);
        if is_stale {
            *last = Some(now);
        }
        is_stale
    }
}

fn place(digest: &Digest) -> [u8; 8] {
    let mut place = [0; 8];
    place.copy_from_slice(&digest.as_bytes()[..8]);
    place
}

impl TaskRunner {
    /// Who shows this secret; `None` if it is nobody's, or no longer good.
    #[must_use]
    pub fn authenticate(&self, secret: &str) -> Option<Caller> {
        if !is_secret(secret) {
            return None;
        }
        let known = self.0.tokens.find(&Digest::of(secret.as_bytes()))?;
        let (token, now) = (&known.token, self.now());
        if token.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        if known.use_at(now) {
            let (store, tenant, id) = (self.0.store.clone(), token.tenant.clone(), token.id);
            self.0.loops.spawn(async move {
                if let Err(error) = store.note_token_use(tenant.as_ref(), id, now).await {
                    tracing::warn!(token_id = %id, %error, "token.note_use failed");
                }
            });
        }
        Some(Caller {
            tenant: token.tenant.clone(),
            role: token.role,
            token: token.id,
            name: token.name.clone(),
        })
    }

    /// Whether there is any token, of whomever.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        !self.0.tokens.0.read().unwrap_or_else(PoisonError::into_inner).by_digest.is_empty()
    }

    /// Whether there is a token of the operator's.
    #[must_use]
    pub fn has_operator_token(&self) -> bool {
        self.0.tokens.0.read().unwrap_or_else(PoisonError::into_inner).operators > 0
    }

    /// The tokens of a tenant, or the operator's, the oldest first.
    #[must_use]
    pub fn tokens(&self, tenant: Option<&TenantId>) -> Vec<Token> {
        self.0.tokens.of(tenant)
    }

    /// Makes a token of a tenant, or one of the operator's. The secret is given here and nowhere else.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if the name is not acceptable, the role is not one of a tenant's, the end is past, or the
    /// tenant has as many tokens as it may have.
    pub async fn create_token(
        &self,
        tenant: Option<&TenantId>,
        name: String,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Result<(Token, Secret), RunnerError> {
        let tenant = tenant.cloned();
        let new = move |runner: &Self| {
            let problems = runner.check_token(tenant.as_ref(), &name, role, expires_at);
            if !problems.is_empty() {
                return Err(RunnerError::Invalid(problems));
            }
            let (id, digest, created_at) = (runner.0.ids.next(TokenId::new), Digest::of(&[]), runner.now());
            Ok(Token { id, tenant, name, role, digest, created_at, expires_at, last_used_at: None })
        };
        self.issue(new, "created").await
    }

    /// Gives a token a new secret; the old one is no longer good.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such token.
    pub async fn rotate_token(
        &self,
        tenant: Option<&TenantId>,
        id: TokenId,
    ) -> Result<(Token, Secret), RunnerError> {
        let tenant = tenant.cloned();
        let renewed = move |runner: &Self| {
            let found = runner.tokens(tenant.as_ref()).into_iter().find(|token| token.id == id);
            let token = found.ok_or_else(|| RunnerError::not_found("token", &id))?;
            Ok(Token { created_at: runner.now(), last_used_at: None, ..token })
        };
        self.issue(renewed, "rotated").await
    }

    /// Has a token be good no longer, from this moment on.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such token.
    pub async fn revoke_token(&self, tenant: Option<&TenantId>, id: TokenId) -> Result<(), RunnerError> {
        let (runner, tenant) = (self.clone(), tenant.cloned());
        let work = async move {
            // First here, so that it is not good for a moment longer than it must be: whoever disables a tenant may have the
            // lock for long.
            runner.0.tokens.forget(tenant.as_ref(), id);
            let _one = runner.0.tenant_changes.lock().await;
            // Somebody may have given it a new secret meanwhile.
            runner.0.tokens.forget(tenant.as_ref(), id);
            if !runner.0.store.delete_token(tenant.as_ref(), id).await? {
                return Err(RunnerError::not_found("token", &id));
            }
            tracing::info!(tenant = tenant.as_ref().map(TenantId::as_str), token_id = %id, "token.revoked");
            Ok(())
        };
        self.0.finish(work).await
    }

    /// Stores the token that `make` makes, with a new secret.
    async fn issue(
        &self,
        make: impl FnOnce(&Self) -> Result<Token, RunnerError> + Send + 'static,
        what: &'static str,
    ) -> Result<(Token, Secret), RunnerError> {
        self.refuse_when_stopping()?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let secret = Secret::from_random(random);
        let runner = self.clone();
        let work = async move {
            let _one = runner.0.tenant_changes.lock().await;
            let token = Token { digest: secret.digest(), ..make(&runner)? };
            runner.0.store.put_token(token.clone()).await?;
            runner.0.tokens.keep(token.clone());
            let tenant = token.tenant.as_ref().map(TenantId::as_str);
            tracing::info!(tenant, token_id = %token.id, role = token.role.as_str(), what, "token.issued");
            Ok((token, secret))
        };
        self.0.finish(work).await
    }

    fn check_token(
        &self,
        tenant: Option<&TenantId>,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut problem = |field, code, message: String| problems.push(FieldError::new(field, code, message));
        let is_plain = !name.chars().any(char::is_control) && !name.trim().is_empty();
        if !is_plain || name.chars().count() > NAME_CHARS_MAX {
            let message = format!("must be 1 to {NAME_CHARS_MAX} printable characters");
            problem("name", "invalid_name", message);
        }
        if (role == Role::Operator) != tenant.is_none() {
            let message = "of a tenant's token must be `reader`, `writer` or `admin`".to_owned();
            problem("role", "wrong_role", message);
        }
        if expires_at.is_some_and(|end| end <= self.now()) {
            problem("expiresAt", "past", "must be in the future".to_owned());
        }
        if self.tokens(tenant).len() >= TOKENS_MAX {
            let message = format!("there are {TOKENS_MAX} tokens already: revoke those that nobody uses");
            problem("name", "too_many", message);
        }
        problems
    }
}
