//! The ClickHouse engine as a library: the only unsafe code here.
//!
//! `libchdb.so` (npm package `@chdb/lib-linux-x64-gnu`, 26.6 or newer) exports clickhouse-local's `main` as
//! `chdb_query_cmdline(argc, argv)`, and since 26.6 clickhouse-local understands `SYSTEM START LISTEN HTTP`.
#![expect(
    unsafe_code,
    reason = "a foreign library is called; every call says why it is sound"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

type QueryCommandLine = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;
type ResultError = unsafe extern "C" fn(*mut c_void) -> *const c_char;

/// Runs clickhouse-local with `args` (the first is the program's name) on this thread until it ends.
///
/// # Errors
/// The engine's own message, or why the library cannot be loaded.
pub fn run(library: &Path, args: &[String]) -> Result<(), String> {
    let args: Vec<CString> = args
        .iter()
        .map(|arg| CString::new(arg.as_str()).map_err(|_| format!("a NUL byte in the argument {arg:?}")))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<*mut c_char> = args.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    let count = c_int::try_from(pointers.len()).map_err(|_| "too many arguments".to_owned())?;
    pointers.push(std::ptr::null_mut());

    // SAFETY: loading runs the library's initialisers. The path comes from the installation's owner or from
    // our own install script, which checks the package's hash; nothing else in this process uses it.
    let library = unsafe { libloading::Library::new(library) }.map_err(|error| {
        use std::error::Error;
        // The loader's own words: what is missing, or that this is no library at all.
        match error.source() {
            Some(why) => format!("{} cannot be loaded: {why}", library.display()),
            None => format!("{} cannot be loaded: {error}", library.display()),
        }
    })?;
    // The process ends with the engine; unloading a library with live threads would be unsound.
    let library = Box::leak(Box::new(library));
    let too_old = |error| format!("this is no libchdb of version 26.6 or newer: {error}");
    // SAFETY: the names and the signatures are those of the package's chdb.h.
    let (query, error_of) = unsafe {
        (
            library
                .get::<QueryCommandLine>(c"chdb_query_cmdline")
                .map_err(too_old)?,
            library
                .get::<ResultError>(c"chdb_result_error")
                .map_err(too_old)?,
        )
    };
    // SAFETY: argv as of a `main`: `count` valid strings and a null pointer, alive until the call returns.
    let result = unsafe { query(count, pointers.as_mut_ptr()) };
    if result.is_null() {
        return Err("the engine gave no result".into());
    }
    // SAFETY: the result is not null and was not destroyed.
    let message = unsafe { error_of(result) };
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a C string that lives as long as the result, which is never destroyed.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    match message.as_ref() {
        "" => Ok(()),
        text => Err(text.to_owned()),
    }
}
