//! `wasi:filesystem` and `wasi:sockets`: named by language runtimes, granted to nobody.
//!
//! A component that imports them gets stand-ins made from the types it imports, whatever the 0.2 release: a call that can
//! fail fails with "access denied", a list is empty, an option is none, and any other call traps. The real
//! implementations are never linked, so no setting can open them by mistake.

use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceAny, ResourceType, Val};
use wasmtime::{StoreContextMut, bail};

use crate::capability::wasi::is_preview_2;
use crate::state::State;

/// The error codes that say that something is not allowed, the first that a type knows is used.
const REFUSALS: [&str; 3] = ["access-denied", "access", "not-permitted"];

/// A file, a socket or a network that is not there. A guest may hold one and drop it.
struct Nothing;

/// Whether `name` is an interface of the two packages.
pub(crate) fn is_denied(name: &str) -> bool {
    let Some((interface, version)) = name.split_once('@') else { return false };
    let package = interface.split_once('/').map_or("", |(package, _)| package);
    matches!(package, "wasi:filesystem" | "wasi:sockets") && is_preview_2(version)
}

/// A linker that also has stand-ins for what `component` imports from the two packages.
pub(crate) fn meet(linker: &Linker<State>, component: &Component) -> wasmtime::Result<Linker<State>> {
    let mut linker = linker.clone();
    let ty = component.component_type();
    // A resource type shows up again wherever another interface uses it; it must be defined only where it first does.
    let mut seen = Vec::new();
    for (name, item) in ty.imports(component.engine()) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let mut target = if is_denied(name) { Some(linker.instance(name)?) } else { None };
        define(component, &instance, target.as_mut(), &mut seen)?;
    }
    Ok(linker)
}

fn define(
    component: &Component,
    instance: &ComponentInstance,
    mut target: Option<&mut LinkerInstance<'_, State>>,
    seen: &mut Vec<ResourceType>,
) -> wasmtime::Result<()> {
    for (name, item) in instance.exports(component.engine()) {
        match (item.ty, target.as_deref_mut()) {
            (ComponentItem::Resource(ty), target) if !seen.contains(&ty) => {
                seen.push(ty);
                if let Some(target) = target {
                    target.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                }
            }
            (ComponentItem::ComponentFunc(_), Some(target)) => {
                target.func_new(name, |store, ty, _, results| refuse(store, &ty, results))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn refuse(
    mut store: StoreContextMut<'_, State>,
    ty: &ComponentFunc,
    results: &mut [Val],
) -> wasmtime::Result<()> {
    store.data_mut().enter();
    for (result, ty) in results.iter_mut().zip(ty.results()) {
        *result = refusal(&mut store, &ty)?;
    }
    Ok(())
}

/// The value of type `ty` that says no.
fn refusal(store: &mut StoreContextMut<'_, State>, ty: &Type) -> wasmtime::Result<Val> {
    match ty {
        Type::Result(result) => Ok(Val::Result(Err(match result.err() {
            None => None,
            Some(Type::Enum(code)) => {
                let known = REFUSALS.into_iter().find(|name| code.names().any(|known| known == *name));
                let Some(name) = known else { bail!("the plugin called a part of WASI that is not granted") };
                Some(Box::new(Val::Enum(name.to_owned())))
            }
            Some(_) => bail!("the plugin called a part of WASI that is not granted"),
        }))),
        Type::Option(_) => Ok(Val::Option(None)),
        Type::List(_) => Ok(Val::List(Vec::new())),
        Type::Own(_) => {
            let nothing = Resource::<Nothing>::new_own(0);
            Ok(Val::Resource(ResourceAny::try_from_resource(nothing, store)?))
        }
        _ => bail!("the plugin called a part of WASI that is not granted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_packages_in_0_2_are_met() {
        for name in
            ["wasi:filesystem/types@0.2.3", "wasi:sockets/tcp@0.2.0", "wasi:filesystem/preopens@0.2.12"]
        {
            assert!(is_denied(name), "{name}");
        }
        for name in ["wasi:filesystem/types@0.3.0", "wasi:socketsx/tcp@0.2.0", "wasi:http/types@0.2.0", "tcp"]
        {
            assert!(!is_denied(name), "{name}");
        }
    }
}
