//! Plugins.

use serde_json::json;

use super::super::bodies::{GrantsConfig, GrantsPatch, PluginLimitsConfig, VersionConfig};
use super::Draft;
use crate::grants::Answer as Grants;
use crate::limits::PluginLimits;
use crate::paging::PageQuery;
use crate::rollouts::UploadQuery;
use crate::wire::{Admitted, Plugin, Released, RolledOut, Version, VersionState};

const PLUGINS: &str = "plugins";
const WASM: &str = "application/wasm";

pub(super) fn add(draft: &mut Draft) {
    versions(draft);
    earlier_versions(draft);
    policies(draft);
}

fn versions(draft: &mut Draft) {
    draft
        .operation(PLUGINS, ("get", "/v1/plugins"), "listPlugins", "Lists plugins, by name.")
        .query::<PageQuery>()
        .lists::<Plugin>("A page of plugins.")
        .done();
    let taken = json!({"anyOf": [draft.schema::<RolledOut>(), draft.schema::<Admitted>()]});
    draft
        .operation(
            PLUGINS,
            ("put", "/v1/plugins/{name}"),
            "uploadPlugin",
            "Uploads a component, and makes it the plugin's active version.",
        )
        .more(
            "A version that reaches for what the active one does not is not activated before somebody has said what it may \
             have: see `allow` and `withoutGrants`. Compiling may take a while: who prefers `respond-async` is answered with \
             202 after so many seconds as `wait` says, and reads at `Location` what the upload comes to.",
        )
        .header("Prefer", "`respond-async, wait=SECONDS`: do not wait longer for the end of the upload.")
        .content(WASM, json!({"type": "string", "contentMediaType": WASM}), true)
        .query::<UploadQuery>()
        .conditional(true)
        .answers::<RolledOut>(201, "It is stored now, or active now.")
        .answers_with(
            200,
            "Nothing has changed; or in a dry run, it would be taken.",
            "application/json",
            taken,
        )
        .tagged()
        .answers::<VersionState>(202, "It goes on.")
        .located()
        .problems(&[400, 415])
        .done();
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}"),
            "getPlugin",
            "Shows a plugin and its active version.",
        )
        .query::<()>()
        .answers::<Plugin>(200, "The plugin.")
        .tagged()
        .done();
    draft
        .operation(
            PLUGINS,
            ("delete", "/v1/plugins/{name}"),
            "deletePlugin",
            "Deletes a plugin that no task names.",
        )
        .conditional(false)
        .answers_nothing(204, "It is gone.")
        .problems(&[409])
        .done();
}

fn earlier_versions(draft: &mut Draft) {
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}/versions"),
            "listVersions",
            "Lists the versions of a plugin, the latest first.",
        )
        .query::<()>()
        .lists::<Version>("The versions.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}/versions/{digest}"),
            "getVersion",
            "Shows a version, or how far its upload has come.",
        )
        .query::<()>()
        .answers::<VersionState>(200, "How far it has come.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("delete", "/v1/plugins/{name}/versions/{digest}"),
            "deleteVersion",
            "Deletes a version that is not active, and that no task names and no unfinished run was recorded with.",
        )
        .answers_nothing(204, "It is gone.")
        .problems(&[409])
        .done();
    draft
        .operation(
            PLUGINS,
            ("post", "/v1/plugins/{name}/activate"),
            "activateVersion",
            "Makes a version the active one.",
        )
        .body::<VersionConfig>(true)
        .answers::<RolledOut>(200, "The plugin.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("post", "/v1/plugins/{name}/rollback"),
            "rollBack",
            "Makes a version the active one again: the one that is named, or else the one before.",
        )
        .body::<VersionConfig>(false)
        .answers::<RolledOut>(200, "The plugin.")
        .problems(&[409])
        .done();
}

fn policies(draft: &mut Draft) {
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}/component"),
            "getComponent",
            "Gives the active component.",
        )
        .query::<()>()
        .answers_with(200, "Its bytes.", WASM, json!({"type": "string", "contentMediaType": WASM}))
        .done();
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}/limits"),
            "getPluginLimits",
            "Shows the limits of a plugin.",
        )
        .query::<()>()
        .answers::<PluginLimits>(200, "Those that are set, and those that hold.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("put", "/v1/plugins/{name}/limits"),
            "setPluginLimits",
            "Replaces the limits of a plugin.",
        )
        .body::<PluginLimitsConfig>(true)
        .answers::<PluginLimits>(200, "Those that are set, and those that hold.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("get", "/v1/plugins/{name}/grants"),
            "getGrants",
            "Shows what a plugin may reach.",
        )
        .query::<()>()
        .answers::<Grants>(200, "Its grants.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("put", "/v1/plugins/{name}/grants"),
            "setGrants",
            "Replaces what a plugin may reach.",
        )
        .body::<GrantsConfig>(true)
        .answers::<Grants>(200, "Its grants.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("patch", "/v1/plugins/{name}/grants"),
            "changeGrants",
            "Adds to what a plugin may reach, and takes from it, in one step.",
        )
        .body::<GrantsPatch>(true)
        .answers::<Grants>(200, "Its grants.")
        .done();
    draft
        .operation(
            PLUGINS,
            ("post", "/v1/plugins/{name}/release"),
            "releasePlugin",
            "Releases a plugin from quarantine.",
        )
        .answers::<Released>(200, "The tasks that run again.")
        .done();
}
