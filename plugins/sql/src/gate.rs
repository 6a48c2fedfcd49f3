//! What statements may do. The sandbox is the wall; this is what says so in words that help.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Pragmas that only tell something. All others change how SQLite works, or reach files.
const TELLING: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "page_size",
    "quick_check",
    "schema_version",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];
/// Pragmas whose value can be set where writing is allowed: numbers in the header that mean something to applications.
const SETTABLE: &[&str] = &["application_id", "user_version"];
/// Pragmas of [`TELLING`] whose argument names what to tell about.
const ABOUT: &[&str] = &[
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// Virtual tables that keep all they have in the database itself.
const MODULES: &[&str] = &["fts3", "fts4", "fts5", "fts5vocab", "rtree", "rtree_i32"];

/// Decides about one thing that a statement wants to do.
pub fn decide(context: &AuthContext<'_>, may_write: bool) -> Authorization {
    if is_allowed(&context.action, may_write) {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

fn is_allowed(action: &AuthAction<'_>, may_write: bool) -> bool {
    let is_one_of =
        |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => !is_one_of(
            &[
                "load_extension",
                "fts3_tokenizer",
                "readfile",
                "writefile",
                "edit",
            ],
            function_name,
        ),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => {
            let is_set = pragma_value.is_some() && !is_one_of(ABOUT, pragma_name);
            is_one_of(TELLING, pragma_name)
                && (!is_set || (may_write && is_one_of(SETTABLE, pragma_name)))
        }
        AuthAction::CreateVtable { module_name, .. }
        | AuthAction::DropVtable { module_name, .. } => {
            may_write && is_one_of(MODULES, module_name)
        }
        // `VACUUM` and `VACUUM INTO` attach, too.
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => false,
        // The call is one transaction.
        AuthAction::Transaction { .. } => false,
        AuthAction::Savepoint { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::Delete { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. } => may_write,
        // What nobody knows yet is not allowed.
        _ => false,
    }
}
