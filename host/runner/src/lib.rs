//! The task runner: fire, dispatch, execute, settle, recover.
