//! From a function to the function and its export.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, ItemFn, ReturnType, Signature, Token, Type};

/// The function as it is, followed by what makes it a handler, or by an error for each thing that is wrong
/// with it.
pub fn handler(attribute: &TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => return Error::new_spanned(item, "`#[handler]` goes on a function").into_compile_error(),
    };
    let entry = match check(attribute, &function) {
        Ok(arguments) => entry(&function.sig, &arguments),
        Err(error) => error.into_compile_error(),
    };
    // The contract asks for a `Result` and hands arguments over, whether this handler needs that or not.
    quote! {
        #[allow(
            clippy::needless_pass_by_value,
            clippy::unnecessary_wraps,
            reason = "a handler's signature is given"
        )]
        #function
        #entry
    }
}

/// The types of the arguments: none, or that of the event and that of the data.
fn check(attribute: &TokenStream, function: &ItemFn) -> Result<Vec<Type>, Error> {
    let signature = &function.sig;
    let mut errors = Vec::new();
    let mut refuse = |what: &dyn ToTokens, message: &str| {
        if !what.to_token_stream().is_empty() {
            errors.push(Error::new_spanned(what, message));
        }
    };
    refuse(attribute, "`#[handler]` takes no arguments");
    refuse(
        &signature.asyncness,
        "a handler cannot be `async`: it has an instance of its own and may simply wait",
    );
    refuse(&signature.unsafety, "a handler cannot be `unsafe`: nobody could keep its promise");
    refuse(&signature.abi, "a handler is a plain Rust function: leave out `extern`");
    refuse(&signature.generics.params, "a handler cannot be generic: its types say what the data is read as");
    refuse(&signature.generics.where_clause, "a handler cannot be generic: leave out the `where` clause");
    refuse(&signature.variadic, "a handler takes nothing, or `(event, data)`");
    refuse_opaque(&signature.output, &mut refuse);
    let arguments = arguments(&signature.inputs, &mut refuse);
    match errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        None => Ok(arguments),
        Some(errors) => Err(errors),
    }
}

fn arguments(
    inputs: &Punctuated<FnArg, Token![,]>,
    refuse: &mut impl FnMut(&dyn ToTokens, &str),
) -> Vec<Type> {
    if !matches!(inputs.len(), 0 | 2) {
        refuse(inputs, "a handler takes nothing, or `(event: Option<&str>, data: Option<T>)`");
    }
    let mut types = Vec::new();
    for input in inputs {
        match input {
            FnArg::Receiver(receiver) => refuse(receiver, "a handler is a plain function, not a method"),
            FnArg::Typed(argument) if matches!(*argument.ty, Type::ImplTrait(_)) => {
                refuse(&argument.ty, "a handler's arguments need types of their own, not `impl Trait`");
            }
            FnArg::Typed(argument) => types.push((*argument.ty).clone()),
        }
    }
    types
}

fn refuse_opaque(output: &ReturnType, refuse: &mut impl FnMut(&dyn ToTokens, &str)) {
    if let ReturnType::Type(_, output) = output
        && matches!(**output, Type::ImplTrait(_))
    {
        refuse(output, "a handler's result needs a type of its own, not `impl Trait`");
    }
}

/// Checks of the types for every target, and the export for WebAssembly.
fn entry(signature: &Signature, arguments: &[Type]) -> TokenStream {
    let name = &signature.ident;
    let checked_arguments = match arguments {
        [event, data] => quote! {
            ::innkeeper_sdk::__private::takes_event::<#event>();
            ::innkeeper_sdk::__private::takes_data::<#data>();
        },
        _ => TokenStream::new(),
    };
    let checked_output = match &signature.output {
        ReturnType::Default => TokenStream::new(),
        ReturnType::Type(_, output) => quote! { ::innkeeper_sdk::__private::yields_output::<#output>(); },
    };
    quote! {
        // Its name is what the compiler complains about if there are two handlers side by side.
        #[allow(dead_code, reason = "only its name and its types matter")]
        const A_PLUGIN_HAS_ONE_HANDLER: fn() = || {
            #checked_arguments
            #checked_output
            let _ = #name;
        };
        #[cfg(target_family = "wasm")]
        const _: () = {
            use ::innkeeper_sdk::__private::bindings::exports::innkeeper::plugin::handler::{Failure, Guest};

            struct Plugin;

            impl Guest for Plugin {
                fn handle(
                    event: ::core::option::Option<::std::string::String>,
                    data: ::core::option::Option<::std::string::String>,
                ) -> ::core::result::Result<::core::option::Option<::std::string::String>, Failure> {
                    ::innkeeper_sdk::__private::run(event.as_deref(), data.as_deref(), #name)
                }
            }

            ::innkeeper_sdk::__private::bindings::export!(
                Plugin with_types_in ::innkeeper_sdk::__private::bindings
            );
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that each error points at, and its message.
    fn errors(attribute: &str, function: &str) -> Vec<(String, String)> {
        let attribute: TokenStream = attribute.parse().expect("the attribute is Rust");
        let function: ItemFn = syn::parse_str(function).expect("the function is Rust");
        let Err(errors) = check(&attribute, &function) else { return Vec::new() };
        let pointed_at = |error: &Error| error.span().source_text().unwrap_or_default();
        errors.into_iter().map(|error| (pointed_at(&error), error.to_string())).collect()
    }

    #[test]
    fn handlers_are_accepted() {
        assert_eq!(errors("", "fn tick() {}"), []);
        assert_eq!(errors("", "pub fn f(event: Option<&str>, data: T) -> Result<(), String> { Ok(()) }"), []);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (function, place, message) in [
            ("async fn f() {}", "async", "cannot be `async`"),
            ("unsafe fn f() {}", "unsafe", "cannot be `unsafe`"),
            (r#"extern "C" fn f() {}"#, r#"extern "C""#, "leave out `extern`"),
            ("fn f<T>(e: Option<&str>, d: T) {}", "T", "cannot be generic"),
            ("fn f() where u8: Copy {}", "where u8: Copy", "cannot be generic"),
            ("fn f(data: u8) {}", "data: u8", "takes nothing, or `(event"),
            ("fn f(a: &str, b: u8, c: u8) {}", "a: &str, b: u8, c: u8", "takes nothing, or `(event"),
            ("fn f(&self, data: u8) {}", "&self", "not a method"),
            ("fn f(a: &str, b: impl Copy) {}", "impl Copy", "types of their own"),
            ("fn f() -> impl Copy {}", "impl Copy", "type of its own"),
        ] {
            let found = errors("", function);
            assert_eq!(found.len(), 1, "{function}: {found:?}");
            assert_eq!(found[0].0, place, "{function}");
            assert!(found[0].1.contains(message), "{function}: {found:?}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let places: Vec<_> =
            errors("retries = 3", "async fn f(data: u8) {}").into_iter().map(|e| e.0).collect();
        assert_eq!(places, ["retries = 3", "async", "data: u8"]);
    }

    #[test]
    fn other_items_are_refused() {
        let expanded = handler(&TokenStream::new(), quote! { struct Handler; }).to_string();
        assert!(expanded.contains("compile_error") && expanded.contains("goes on a function"), "{expanded}");
    }

    #[test]
    fn a_refused_function_is_still_there() {
        let expanded = handler(&TokenStream::new(), quote! { async fn f() {} }).to_string();
        assert!(expanded.contains("async fn f () { }") && expanded.contains("compile_error"), "{expanded}");
        assert!(!expanded.contains("export !"), "{expanded}");
    }

    #[test]
    fn the_export_is_for_webassembly_only() {
        let expanded = handler(&TokenStream::new(), quote! { fn f() {} }).to_string();
        let guard = expanded.find(r#"# [cfg (target_family = "wasm")]"#).expect("there is a guard");
        assert!(expanded.find("export !").is_some_and(|export| export > guard), "{expanded}");
    }
}
