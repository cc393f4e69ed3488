//! The names and types of both drafts.
//!
//! A name with a pre-release version is met only by that very name, and the drafts differ in types, so each has its own
//! functions; they share the resources and the operations.

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceAny, ResourceType, Type, Val,
};

use super::buckets::{self, Bucket, Look, Refusal, Swapped};
use crate::state::State;

/// The interfaces as components import them.
pub(crate) const NAMES: [&str; 6] = [
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
];

type Store<'a> = StoreContextMut<'a, State>;
type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Both drafts' `error`.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

/// The first draft's `key-response`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct NumberedPage {
    keys: Vec<String>,
    cursor: Option<u64>,
}

/// The second draft's `key-response`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct NamedPage {
    keys: Vec<String>,
    cursor: Option<String>,
}

/// The second draft's `cas-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum CasError {
    #[component(name = "store-error")]
    Store(Error),
    #[component(name = "cas-failed")]
    Stale(Resource<Look>),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchStore => Self::NoSuchStore,
            Refusal::AccessDenied => Self::AccessDenied,
            Refusal::Other(message) => Self::Other(message),
        }
    }
}

/// Links every interface of both drafts.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let [store, atomics, batch, store2, atomics2, batch2] = NAMES;
    add_store(&mut linker.instance(store)?)?;
    linker.instance(store)?.func_wrap_async("[method]bucket.list-keys", |store, arguments| {
        Box::new(list_numbered(store, arguments))
    })?;
    linker
        .instance(atomics)?
        .func_wrap_async("increment", |store, arguments| Box::new(increment_unsigned(store, arguments)))?;
    add_batch(&mut linker.instance(batch)?)?;
    linker
        .instance(batch)?
        .func_wrap_async("get-many", |store, arguments| Box::new(get_many(store, arguments)))?;
    add_store(&mut linker.instance(store2)?)?;
    linker.instance(store2)?.func_wrap_async("[method]bucket.list-keys", |store, arguments| {
        Box::new(list_named(store, arguments))
    })?;
    add_atomics2(&mut linker.instance(atomics2)?)?;
    add_batch(&mut linker.instance(batch2)?)?;
    linker.instance(batch2)?.func_new_async("get-many", |store, ty, arguments, results| {
        Box::new(async move {
            let shape = ty.results().next();
            results[0] = get_many_shaped(store, shape.as_ref(), arguments).await?;
            Ok(())
        })
    })
}

/// What `store` is in both drafts.
fn add_store(instance: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    instance.resource("bucket", ResourceType::host::<Bucket>(), |mut store, id| {
        store.data_mut().enter().table.delete(Resource::<Bucket>::new_own(id))?;
        Ok(())
    })?;
    instance.func_wrap("open", |mut store, (name,): (String,)| open(store.data_mut().enter(), &name))?;
    instance.func_wrap_async(
        "[method]bucket.get",
        |mut store: Store<'_>, (bucket, key): (Resource<Bucket>, String)| {
            Box::new(async move {
                let state = store.data_mut().enter();
                let bucket = state.table.get(&bucket)?.clone();
                answer(buckets::get(state, &bucket, &key).await)
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]bucket.exists",
        |mut store: Store<'_>, (bucket, key): (Resource<Bucket>, String)| {
            Box::new(async move {
                let state = store.data_mut().enter();
                let bucket = state.table.get(&bucket)?.clone();
                answer(buckets::exists(state, &bucket, &key).await)
            })
        },
    )?;
    instance.func_wrap(
        "[method]bucket.set",
        |mut store, (bucket, key, value): (Resource<Bucket>, String, Vec<u8>)| {
            set(store.data_mut().enter(), &bucket, [(key, Some(value))])
        },
    )?;
    instance.func_wrap("[method]bucket.delete", |mut store, (bucket, key): (Resource<Bucket>, String)| {
        set(store.data_mut().enter(), &bucket, [(key, None)])
    })
}

/// What `batch` is in both drafts: all but `get-many`.
fn add_batch(instance: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    instance.func_wrap(
        "set-many",
        |mut store, (bucket, values): (Resource<Bucket>, Vec<(String, Vec<u8>)>)| {
            set_many(
                store.data_mut().enter(),
                &bucket,
                values.into_iter().map(|(key, value)| (key, Some(value))),
            )
        },
    )?;
    instance.func_wrap("delete-many", |mut store, (bucket, keys): (Resource<Bucket>, Vec<String>)| {
        set_many(store.data_mut().enter(), &bucket, keys.into_iter().map(|key| (key, None)))
    })
}

fn add_atomics2(instance: &mut LinkerInstance<'_, State>) -> wasmtime::Result<()> {
    instance.resource("cas", ResourceType::host::<Look>(), |mut store, id| {
        store.data_mut().enter().table.delete(Resource::<Look>::new_own(id))?;
        Ok(())
    })?;
    instance.func_wrap_async("[static]cas.new", |store, arguments| Box::new(look(store, arguments)))?;
    instance.func_wrap("[method]cas.current", |mut store, (look,): (Resource<Look>,)| {
        answer(buckets::seen(store.data_mut().enter(), &look)?)
    })?;
    instance.func_wrap_async("swap", |store, arguments| Box::new(swap(store, arguments)))?;
    instance.func_wrap_async(
        "increment",
        |mut store: Store<'_>, (bucket, key, delta): (Resource<Bucket>, String, i64)| {
            Box::new(async move {
                let state = store.data_mut().enter();
                let bucket = state.table.get(&bucket)?.clone();
                answer(buckets::increment(state, &bucket, &key, delta).await)
            })
        },
    )
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a host function gives")]
fn answer<T>(answer: Result<T, Refusal>) -> Answer<T> {
    Ok((answer.map_err(Error::from),))
}

fn open(state: &mut State, name: &str) -> Answer<Resource<Bucket>> {
    match buckets::open(state, name) {
        Ok(bucket) => Ok((Ok(state.table.push(bucket)?),)),
        Err(refusal) => answer(Err(refusal)),
    }
}

/// Writes in order, up to the first that is refused: what was written before it stays, as the standard has it.
fn set(
    state: &mut State,
    bucket: &Resource<Bucket>,
    values: impl IntoIterator<Item = (String, Option<Vec<u8>>)>,
) -> Answer<()> {
    let bucket = state.table.get(bucket)?.clone();
    let mut values = values.into_iter();
    answer(values.try_for_each(|(key, value)| buckets::set(state, &bucket, &key, value)))
}

fn set_many(
    state: &mut State,
    bucket: &Resource<Bucket>,
    values: impl ExactSizeIterator<Item = (String, Option<Vec<u8>>)>,
) -> Answer<()> {
    match buckets::check_batch(values.len()) {
        Ok(()) => set(state, bucket, values),
        Err(refusal) => answer(Err(refusal)),
    }
}

async fn list_numbered(
    mut store: Store<'_>,
    (bucket, cursor): (Resource<Bucket>, Option<u64>),
) -> Answer<NumberedPage> {
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    let after = match cursor.map(|cursor| state.key_value.end(cursor)).transpose() {
        Ok(after) => after,
        Err(refusal) => return answer(Err(refusal)),
    };
    let page = buckets::list(state, &bucket, after).await;
    answer(page.map(|page| NumberedPage {
        keys: page.keys,
        cursor: page.next.map(|end| state.key_value.cursor(end)),
    }))
}

async fn list_named(
    mut store: Store<'_>,
    (bucket, cursor): (Resource<Bucket>, Option<String>),
) -> Answer<NamedPage> {
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    let page = buckets::list(state, &bucket, cursor).await;
    answer(page.map(|page| NamedPage { keys: page.keys, cursor: page.next }))
}

/// The first draft counts without a sign.
async fn increment_unsigned(
    mut store: Store<'_>,
    (bucket, key, delta): (Resource<Bucket>, String, u64),
) -> Answer<u64> {
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    let Ok(delta) = i64::try_from(delta) else {
        return answer(Err(Refusal::Other(format!("an increment of {delta} is more than {}", i64::MAX))));
    };
    let sum = buckets::increment(state, &bucket, &key, delta).await;
    answer(sum.and_then(|sum| {
        u64::try_from(sum)
            .map_err(|_| Refusal::Other(format!("the key {key:?} holds {sum}, which is negative")))
    }))
}

async fn look(mut store: Store<'_>, (bucket, key): (Resource<Bucket>, String)) -> Answer<Resource<Look>> {
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    match buckets::look(state, &bucket, &key).await {
        Ok(look) => Ok((Ok(state.table.push(look)?),)),
        Err(refusal) => answer(Err(refusal)),
    }
}

async fn swap(
    mut store: Store<'_>,
    (look, value): (Resource<Look>, Vec<u8>),
) -> wasmtime::Result<(Result<(), CasError>,)> {
    let state = store.data_mut().enter();
    let look = state.table.delete(look)?;
    Ok((match buckets::swap(state, look, value).await {
        Ok(Swapped::Done) => Ok(()),
        Ok(Swapped::Stale(look)) => Err(CasError::Stale(state.table.push(look)?)),
        Err(refusal) => Err(CasError::Store(refusal.into())),
    },))
}

type Pairs = Vec<(String, Option<Vec<u8>>)>;

async fn read_many(state: &mut State, bucket: &Bucket, keys: Vec<String>) -> Result<Pairs, Refusal> {
    buckets::check_batch(keys.len())?;
    let mut pairs = Vec::with_capacity(keys.len());
    for key in keys {
        let value = buckets::get(state, bucket, &key).await?;
        pairs.push((key, value));
    }
    Ok(pairs)
}

async fn get_many(
    mut store: Store<'_>,
    (bucket, keys): (Resource<Bucket>, Vec<String>),
) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    let pairs = read_many(state, &bucket, keys).await;
    answer(pairs.map(|pairs| pairs.into_iter().map(|(key, value)| Some((key, value?))).collect()))
}

/// The second draft's `get-many` was published in two shapes under one name: a list of optional pairs, and a list of pairs
/// with an optional value. A component gets the one that it was built for.
async fn get_many_shaped(
    mut store: Store<'_>,
    shape: Option<&Type>,
    arguments: &[Val],
) -> wasmtime::Result<Val> {
    let [Val::Resource(bucket), Val::List(keys)] = arguments else {
        wasmtime::bail!("`get-many` takes a bucket and a list of keys");
    };
    let bucket = ResourceAny::try_into_resource::<Bucket>(*bucket, &mut store)?;
    let state = store.data_mut().enter();
    let bucket = state.table.get(&bucket)?.clone();
    let keys =
        keys.iter().filter_map(|key| if let Val::String(key) = key { Some(key.clone()) } else { None });
    let pairs = read_many(state, &bucket, keys.collect()).await;
    Ok(Val::Result(match pairs {
        Ok(pairs) => {
            let is_pair_optional = is_list_of_options(shape);
            let items = pairs.into_iter().map(|(key, value)| item(key, value, is_pair_optional));
            Ok(Some(Box::new(Val::List(items.collect()))))
        }
        Err(refusal) => Err(Some(Box::new(error_value(refusal)))),
    }))
}

fn is_list_of_options(shape: Option<&Type>) -> bool {
    let Some(Type::Result(result)) = shape else { return false };
    matches!(result.ok(), Some(Type::List(list)) if matches!(list.ty(), Type::Option(_)))
}

fn item(key: String, value: Option<Vec<u8>>, is_pair_optional: bool) -> Val {
    let bytes = |value: Vec<u8>| Val::List(value.into_iter().map(Val::U8).collect());
    if is_pair_optional {
        let pair = value.map(|value| Box::new(Val::Tuple(vec![Val::String(key), bytes(value)])));
        return Val::Option(pair);
    }
    Val::Tuple(vec![Val::String(key), Val::Option(value.map(|value| Box::new(bytes(value))))])
}

fn error_value(refusal: Refusal) -> Val {
    match refusal {
        Refusal::NoSuchStore => Val::Variant("no-such-store".to_owned(), None),
        Refusal::AccessDenied => Val::Variant("access-denied".to_owned(), None),
        Refusal::Other(message) => Val::Variant("other".to_owned(), Some(Box::new(Val::String(message)))),
    }
}
